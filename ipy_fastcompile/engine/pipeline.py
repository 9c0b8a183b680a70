"""model + call -> CompiledModel: the whole flow, readable in one screen.

capture -> split -> lower -> codegen -> pack -> (save ->) load
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import CaptureError, warn_user
from ..interrupts import import_whole
from ..records import StageRecord
from ..runtime.modes import set_aside
from ..torch_compat import ahead, inductor, module_calls
from ..verification.compared import check_difference, compared
from .calls.asked import asked_sizes, check_asked
from .calls.asked_kinds import Asked, Kind, asked_kinds
from .calls.capture import capture
from .calls.captured import Captured
from .calls.narrow import graphs_of_kinds
from .code.codegen import ExecutionCode, generate_execution_code
from .compiled import CompiledModel
from .graph.boundaries import SplitFunction, split_at_each
from .graph.split import split
from .heap import settled_heap
from .kernels.lower import lower
from .kernels.lowered import Key, Lowered, Reusable
from .kernels.set_apart import set_refused_apart
from .kernels.variants import check_names
from .pack import pack
from .program import CompiledProgram
from .sizes.kept import check_kept
from .stages import OnProgress, Stages


def compile(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    calls: Sequence[Kind] | None = None,
    dynamic: Mapping[str, Any] | str | None = None,
    split_at: Sequence[str] | str | SplitFunction | None = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
    progress: OnProgress | None = None,
    check: bool = False,
    explain: bool = False,
) -> CompiledModel:
    """Compile the call ``model(*args, **kwargs)`` for inference.

    Threads of one process compile one after the other. No other thread may call ``model``
    meanwhile: `torch.export` gives it other parameters while it is captured.

    Parameters
    ----------
    model:
        A module, or any function or method that `torch.export` or Dynamo can capture. It is
        captured as it is called: a method without the hooks of its owner. It is left as it was;
        what a call does besides its result is not compiled, and a warning names it. What draws
        random numbers in evaluation mode draws anew at every call.
    args, kwargs:
        Example inputs. Their dtypes, devices, ranks and static sizes become the signature. They
        may be nested in containers (tuples, lists, dicts, named tuples, dataclasses, what is
        registered as a tree, and objects that are their attributes, such as transformers' caches),
        and so may results; a value that is no tensor is fixed.
    calls:
        Calls of several kinds, in the place of one: a sequence of objects with ``name``, ``args``,
        ``kwargs`` and ``dynamic``. Each becomes a program of the same artifact; a call of the
        compiled model runs the program that it fits. Kernels that programs share are compiled and
        stored once.
    dynamic:
        Sizes that may vary: ``{path: {dimension: "name" | (name, min, max) | Dim}}``. A path is
        an argument, or a way into one: ``batch['ids']`` or ``batch.ids``,
        ``past_key_values.layers[0].keys``, ``layers[*]`` for each. A path to something that
        holds tensors means every tensor in it that has this dimension; counted from -1, it is one
        from the end of each. A path to a whole number takes a name alone, ``{path: "name"}``: its
        value counts as a size. Containers may be written as nested dicts and lists, too. Equal
        names mean equal sizes; ``2*Dim("k") + 1`` is a size that follows from another.

        ``"auto"``, for a path or for all, lets every size vary that can: dimensions of 2 or more in
        the example, and those numbers in objects that the call changes. They are named after their
        argument, ``input_ids_length``; the report's ``fixed`` is what the model fixes, and where.
    split_at:
        Op names (``"aten::scaled_dot_product_attention"``), or a function ``Node -> SplitReason |
        None``. Default: attention ops; where there are none, the boundaries of repeated layers
        that share a kernel.
    sizes:
        Extra kernels for fixed sizes of dynamic dimensions: ``{"seq": [1, 16]}``. Of several
        programs, those get them that have a dimension of this name.
    progress:
        Called with a `records.Progress` as the stages go on.
    check:
        Compare the results of two such calls in a row with eager's, under one seed; the report
        then has ``max_error`` and the ``tolerance`` that was allowed. The model is left as it was.
    explain:
        Record the passes and the fusions of every kernel, also of those that Inductor has in its
        cache, which it then compiles anew. Without it they are recorded of what is compiled.

    Raises
    ------
    DiffersFromEager
        With ``check``, when the difference is beyond the tolerance of the least precise dtype that
        the model computes in; it names the first submodule that differs.
    CallError, CaptureError, SplitError, LowerError, CodegenError
        Each names the argument, the node or the line of the model that it is about.
    """
    check_asked(split_at, progress)
    wanted = asked_sizes(sizes)
    asked = asked_kinds(args, kwargs, dynamic, calls)
    clock = Stages(progress)
    with ONE_AT_A_TIME, settled_heap(), module_calls.watches_aside():
        kinds, programs = _compile_kinds(model, asked, split_at, wanted, clock, explain=explain)
        with set_aside("compile", CaptureError), clock.stage("pack"):
            packed = pack(programs)
        compiled = CompiledModel(model, kinds, programs, packed, clock.taken())
    for alarm in compiled.report.alarms:
        warn_user(alarm)
    if check:
        compiled.report = compared(compiled, model, calls=kinds)
        check_difference(compiled.report)
    return compiled


# torch.export and Inductor keep what they trace in globals; a thread that comes later waits.
ONE_AT_A_TIME = threading.RLock()


def _compile_kinds(
    model: Callable[..., Any],
    asked: Sequence[Asked],
    split_at: Sequence[str] | str | SplitFunction | None,
    sizes: Mapping[str, list[int]],
    clock: Stages,
    *,
    explain: bool,
) -> tuple[list[Asked], list[CompiledProgram]]:
    """A program for each kind, and further ones for recorded calls that its graph does not serve.

    What each program was compiled of comes first.
    """
    stages: dict[int, tuple[StageRecord, ...]] = {}

    def captured_of(kind: Asked) -> Captured:
        clock.about(kind.name, len(stages), max(len(asked), len(stages) + 1))
        with kind.surroundings(), clock.stage("capture"):
            import_whole(*inductor.COMPILER_MODULES)
            ahead.probe_ahead()
            captured = capture(
                model, kind.args, kind.kwargs, dynamic=kind.dynamic, loose=kind.loose
            )
        stages[id(captured.graph_module)] = clock.taken()
        return captured

    graphs = graphs_of_kinds(asked, captured_of)
    check_names(sizes, [symbol.name for _, graph in graphs for symbol in graph.symbols])
    cuts = split_at_each([graph.graph_module for _, graph in graphs], split_at)
    known: dict[Key, Reusable] = {}
    programs: list[CompiledProgram] = []
    for (kind, captured), cut in zip(graphs, cuts, strict=True):
        clock.about(kind.name, len(programs), len(graphs))
        lowered, code = _compile_graph(kind, captured, cut, sizes, clock, known, explain=explain)
        known = {**lowered.reusable, **known}
        taken = (*stages[id(captured.graph_module)], *clock.taken())
        programs.append(CompiledProgram(kind.name, lowered, code, taken))
    clock.about("", len(graphs), len(graphs))
    return [kind for kind, _ in graphs], programs


def _compile_graph(
    kind: Asked,
    captured: Captured,
    split_at: Sequence[str] | str | SplitFunction | None,
    sizes: Mapping[str, list[int]],
    clock: Stages,
    known: Mapping[Key, Reusable],
    *,
    explain: bool,
) -> tuple[Lowered, ExecutionCode]:
    """The stages of one program; ``known`` are kernels that it may share with earlier ones."""
    if kind.name:  # of several: each has some of the dimensions
        sizes = {s.name: sizes[s.name] for s in captured.symbols if s.name in sizes}
    with set_aside("compile", CaptureError):
        with clock.stage("split"):
            split_graph = split(captured, split_at)
        with clock.stage("lower"):
            lowered = lower(
                split_graph, sizes=sizes, on_kernel=clock.on_kernel, known=known, explain=explain
            )
            lowered = set_refused_apart(
                lowered, split_at, sizes, clock.on_kernel, known, explain=explain
            )
            check_kept(captured, lowered.conditions, kind.dynamic)
        with clock.stage("codegen"):
            return lowered, generate_execution_code(lowered)
