"""model + call -> CompiledModel: the whole flow, readable in one screen.

capture -> split -> lower -> codegen -> pack -> (save ->) load
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..artifact import save_artifact
from ..artifact.inspect import REPORT
from ..artifact.squeeze import squeeze
from ..records import ArtifactRecord, Progress, ReloadRecord, Report, StageRecord
from ..runtime.fresh import measure_reloads
from ..runtime.load import LoadedFunction, load_parts
from .boundaries import SplitFunction
from .capture import Captured, capture
from .codegen import ExecutionCode, generate_execution_code
from .lower import Lowered, lower
from .pack import Packed, pack
from .profile import profile_call
from .report import build_report
from .split import SplitGraph, split

OnProgress = Callable[[Progress], None]
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
) -> CompiledModel:
    """Compile the call ``model(*args, **kwargs)`` for inference.

    Parameters
    ----------
    model:
        A module, or any function or method that `torch.export` can capture.
    args, kwargs:
        Example inputs. Their dtypes, devices, ranks and static sizes become the signature.
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

    Raises
    ------
    CallError, CaptureError, SplitError, LowerError, CodegenError
        Each names the argument, the node or the line of the model that it is about.
    """
    clock = _Stages(progress)
    with clock.stage("capture"):
        captured = capture(model, args, kwargs, dynamic=dynamic)
    with clock.stage("split"):
        split_graph = split(captured, split_at)
    with clock.stage("lower"):
        wanted = {name: list(values) for name, values in (sizes or {}).items()}
        lowered = lower(split_graph, sizes=wanted, on_kernel=clock.on_kernel)
    with clock.stage("codegen"):
        code = generate_execution_code(lowered)
    with clock.stage("pack"):
        packed = pack(lowered, code)
    return CompiledModel(model, captured, split_graph, lowered, code, packed, clock.records)


class CompiledModel:
    """A compiled call: callable like the model, with everything about how it came to be.

    Attributes
    ----------
    captured, split_graph, lowered:
        What each stage made; each prints as text.
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
        self.captured = captured
        self.split_graph = split_graph
        self.lowered = lowered
        self.code = code
        self.packed = packed
        self._model = model
        self.report: Report = build_report(lowered, code, packed, stages)
        self._function: LoadedFunction | None = None

    @property
    def execution_code(self) -> str:
        """The generated Python that runs the model: the source of truth of a warm reload."""
        return self.code.text

    @property
    def function(self) -> LoadedFunction:
        """The callable, loaded along the native path from memory, with the model's weights."""
        if self._function is None:
            self._function = load_parts(self.packed, self._model)
        return self._function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled model: same structure and numbers as the model's own call."""
        return self.function(*args, **kwargs)

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
        if not args and not kwargs:
            args, kwargs = self.captured.example_args, dict(self.captured.example_kwargs)
        leaves = self.function.flatten(args, kwargs)
        self.report = profile_call(
            self.report, self.lowered, self.code, self.function, leaves, runs=runs
        )
        return self.report

    def save(self, file: str | os.PathLike[str]) -> ArtifactRecord:
        """Write the artifact: one file, replaced only when the new one is complete.

        Raises SaveError when it cannot be written; what was there before is untouched.
        """
        members = {**self.packed.members, REPORT: squeeze(self.report.to_json().encode())}
        saved = save_artifact(file, self.packed.manifest, members)
        record = ArtifactRecord(
            saved.path,
            saved.digest,
            saved.size,
            len(self.packed.members[self.packed.manifest["program"]["fx"]]),
            saved.signed,
        )
        self.report = replace(self.report, artifact=record)
        return record

    def time_reloads(self, *, shipped: bool = False, runs: int = 3) -> tuple[ReloadRecord, ...]:
        """Time a warm reload of this compile in fresh processes, along each path.

        ``shipped`` times it as on a machine without a compiler and with an empty Inductor cache.
        The records become part of `report`.
        """
        with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as folder:
            path = Path(folder) / "timed.fastcompile"
            save_artifact(path, self.packed.manifest, self.packed.members)
            records = measure_reloads(path, runs=runs, shipped=shipped)
        kept = tuple(r for r in self.report.reloads if r.shipped is not shipped)
        self.report = replace(self.report, reloads=(*kept, *records))
        return records

    def explore(self) -> Any:
        """The explorer widget, for a notebook; its "run again" button is `time_reloads`."""
        from ..show.explorer import Explorer

        return Explorer(self.report, lambda shipped: self.time_reloads(shipped=shipped))

    def __str__(self) -> str:
        from ..show.text import render_text

        return render_text(self.report)


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
