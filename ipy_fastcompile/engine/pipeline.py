"""model + call -> CompiledModel: the whole flow, readable in one screen.

capture -> split -> lower -> codegen -> pack -> (save ->) load
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import CaptureError, warn_user
from ..interrupts import import_whole
from ..runtime.modes import set_aside
from ..torch_compat import inductor
from ..verification.compared import check_difference, compared
from .calls.asked import asked_sizes, check_asked
from .calls.capture import capture
from .code.codegen import generate_execution_code
from .compiled import CompiledModel
from .graph.boundaries import SplitFunction
from .graph.split import split
from .heap import settled_heap
from .kernels.lower import lower
from .kernels.set_apart import set_refused_apart
from .pack import pack
from .stages import OnProgress, Stages


def compile(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic: Mapping[str, Any] | None = None,
    split_at: Sequence[str] | str | SplitFunction | None = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
    progress: OnProgress | None = None,
    check: bool = False,
) -> CompiledModel:
    """Compile the call ``model(*args, **kwargs)`` for inference.

    Parameters
    ----------
    model:
        A module, or any function or method that `torch.export` can capture. It is captured as it
        is called: a method without the hooks of its owner. It is left as it was; what a call does
        besides its result is not compiled, and a warning names it. What draws random numbers in
        evaluation mode draws anew at every call.
    args, kwargs:
        Example inputs. Their dtypes, devices, ranks and static sizes become the signature. They
        may be nested in containers (tuples, lists, dicts, named tuples, dataclasses, what is
        registered as a tree, and objects that are their attributes, such as transformers' caches),
        and so may results; a value that is no tensor is fixed.
    dynamic:
        Dimensions that may vary: ``{argument: {dimension: "name" | (name, min, max) | Dim}}``.
        Equal names mean equal sizes.
    split_at:
        Op names (``"aten::scaled_dot_product_attention"``), or a function ``Node -> SplitReason |
        None``. Default: attention ops; where there are none, the boundaries of repeated layers.
    sizes:
        Extra kernels for fixed sizes of dynamic dimensions: ``{"seq": [1, 16]}``.
    progress:
        Called with a `records.Progress` as the stages go on.
    check:
        Compare the results of two such calls in a row with eager's, under one seed; the report
        then has ``max_error`` and the ``tolerance`` that was allowed. The model is left as it was.

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
    clock = Stages(progress)
    with settled_heap():
        with clock.stage("capture"):
            import_whole(*inductor.COMPILER_MODULES)
            captured = capture(model, args, kwargs, dynamic=dynamic)
        with set_aside("compile", CaptureError):
            with clock.stage("split"):
                split_graph = split(captured, split_at)
            with clock.stage("lower"):
                lowered = lower(split_graph, sizes=wanted, on_kernel=clock.on_kernel)
                lowered = set_refused_apart(lowered, split_at, wanted, clock.on_kernel)
            with clock.stage("codegen"):
                code = generate_execution_code(lowered)
            with clock.stage("pack"):
                packed = pack(lowered, code)
        compiled = CompiledModel(model, lowered, code, packed, clock.records)
    for alarm in compiled.report.alarms:
        warn_user(alarm)
    if check:
        compiled.report = compared(compiled, model, args, kwargs)
        check_difference(compiled.report)
    return compiled
