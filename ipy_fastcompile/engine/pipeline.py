"""model + call -> CompiledModel: the whole flow, readable in one screen.

capture -> split -> lower -> codegen -> pack -> (save ->) load
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..artifact import SavedArtifact, save_artifact
from ..artifact.inspect import REPORT
from ..artifact.squeeze import squeeze
from ..errors import CaptureError, warn_user
from ..interrupts import import_whole
from ..records import Progress, Report, StageRecord
from ..runtime.modes import set_aside
from ..torch_compat import inductor
from ..verification.compared import check_difference, compared
from .calls.asked import asked_runs, asked_sizes, check_asked
from .calls.capture import capture
from .calls.captured import Captured
from .code.codegen import ExecutionCode, generate_execution_code
from .graph.boundaries import SplitFunction
from .graph.regions import spell_out
from .graph.split import SplitGraph, split
from .kernels.lower import Lowered, lower
from .pack import Packed, check_result_types, pack
from .profile import profile_call
from .reloadable import ReloadableModel
from .report import build_report

OnProgress = Callable[[Progress], None]
# Nodes that Inductor refuses are set apart up to so many; a model of more is better told as it is.
_MOST_REFUSED = 64
_FROZEN_AT_START = 10_000
STAGES = ("capture", "split", "lower", "codegen", "pack")


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
        registered as a tree), and so may results; a value that is no tensor is fixed.
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
    clock = _Stages(progress)
    with _settled_heap():
        with clock.stage("capture"):
            import_whole(*inductor.COMPILER_MODULES)
            captured = capture(model, args, kwargs, dynamic=dynamic)
        with set_aside("compile", CaptureError):
            with clock.stage("split"):
                split_graph = split(captured, split_at)
            with clock.stage("lower"):
                lowered = lower(split_graph, sizes=wanted, on_kernel=clock.on_kernel)
                refused: dict[str, str] = {}
                while set(lowered.refused) - set(refused) and len(refused) < _MOST_REFUSED:
                    refused |= lowered.refused
                    spell_out(captured.graph_module, refused)
                    split_graph = split(captured, split_at, refused=refused)
                    lowered = lower(split_graph, sizes=wanted, on_kernel=clock.on_kernel)
            with clock.stage("codegen"):
                code = generate_execution_code(lowered)
            with clock.stage("pack"):
                packed = pack(lowered, code)
        compiled = CompiledModel(model, captured, split_graph, lowered, code, packed, clock.records)
    for alarm in compiled.report.alarms:
        warn_user(alarm)
    if check:
        compiled.report = compared(compiled, model, args, kwargs)
        check_difference(compiled.report)
    return compiled


@contextmanager
def _settled_heap() -> Iterator[None]:
    """Keep the garbage collector from walking what was there before, again and again.

    A capture makes millions of objects beside those of torch, the model and the notebook. The
    collector goes on with what is new. Someone else's `gc.freeze` is left as it is: it keeps at
    least torch, far more than the few hundred objects that Python 3.12 freezes when it starts.
    """
    if gc.get_freeze_count() > _FROZEN_AT_START:
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class CompiledModel(ReloadableModel):
    """A compiled call: callable like the model, with everything about how it came to be.

    Attributes
    ----------
    captured, split_graph, lowered, code:
        What each stage made; each prints as text.
    parts:
        The artifact in memory.
    report:
        All of it as plain data, `records.Report`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        captured: Captured,
        split_graph: SplitGraph,
        lowered: Lowered,
        code: ExecutionCode,
        packed: Packed,
        stages: Sequence[StageRecord],
    ) -> None:
        super().__init__(model, packed, build_report(lowered, code, packed, stages))
        self.captured = captured
        self.split_graph = split_graph
        self.lowered = lowered
        self.code = code
        self.parts: Packed = packed

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> Report:
        """Time every line and submodule of a call, and measure the most memory alive at a time.

        Parameters
        ----------
        args, kwargs:
            The call to profile; without any, the example it was compiled from.
        runs:
            Calls that count, after a few more to warm up; every time is their median.

        Returns
        -------
        The report with ``seconds`` of lines and submodules, ``measured_peak`` (bytes) and
        ``profile``, which says what timing a line costs; that was subtracted. It becomes
        ``compiled.report``, too. The code that normally runs is not changed.

        Raises InputError when the call does not fit.
        """
        runs = asked_runs(runs)
        if not args and not kwargs:
            args, kwargs = self.captured.example_args, dict(self.captured.example_kwargs)
        leaves = self.function.flatten(args, kwargs)
        self.report = profile_call(
            self.report, self.lowered, self.code, self.function, leaves, runs=runs
        )
        return self.report

    def write(self, file: str | os.PathLike[str]) -> SavedArtifact:
        """What `save` does, without noting in the report where."""
        check_result_types(self.parts)
        members = {**self.parts.members, REPORT: squeeze(self.report.to_json().encode())}
        return save_artifact(file, self.parts.manifest, members)


class _Stages:
    """Times the stages and tells how far they are."""

    def __init__(self, progress: OnProgress | None) -> None:
        self.records: list[StageRecord] = []
        self._progress = progress
        self._detail = ""

    def _tell(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if self._progress is not None:
            self._progress(Progress(stage, done, total, detail))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._tell(name, 0, 1)
        self._detail = ""
        started = time.perf_counter()
        yield
        self.records.append(StageRecord(name, time.perf_counter() - started, self._detail))
        self._tell(name, 1, 1)

    def on_kernel(self, done: int, total: int, name: str) -> None:
        self._detail = f"{total} distinct kernels"
        self._tell("lower", done, total, name)
