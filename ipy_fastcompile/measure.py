"""Compiled model -> its report with the proof: the error against eager, the warm reloads timed.

The error is measured in this process, with the real weights, on a new load. The reloads are
measured in fresh processes. Magics and the demo share this file.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .records import Progress, ReloadRecord, Report

PATHS = ("native", "torch", "fx")

CheckAgainstEager = Callable[..., Report]
MeasureReloads = Callable[..., tuple[ReloadRecord, ...]]


def _check_against_eager(*args: Any, **kwargs: Any) -> Report:
    from .verification.compared import compared

    return compared(*args, **kwargs)


def _measure_reloads(*args: Any, **kwargs: Any) -> tuple[ReloadRecord, ...]:
    from .runtime.fresh import measure_reloads

    return measure_reloads(*args, **kwargs)


def is_compared(report: Report) -> bool:
    """Whether a report says how far the model is from eager with the weights of now."""
    return bool(report.tolerance) and report.cache != "hit"


def measure(
    compiled: Any,
    model: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    path: Path | None = None,
    runs: int = 3,
    progress: Callable[[Progress], None] | None = None,
    check: CheckAgainstEager = _check_against_eager,
    reload: MeasureReloads = _measure_reloads,
) -> Report:
    """Compare a compiled model with eager, and time its reload along every path.

    Parameters
    ----------
    compiled:
        What `ipy_fastcompile.compile` returned.
    model, args, kwargs:
        The call it was compiled from.
    path:
        The saved artifact. Without it a copy is saved, measured and removed.
    runs:
        Fresh processes for each reload path; the report holds medians.
    progress:
        Called with the stages "check" and "reload".
    check, reload:
        Stand-ins for `verification.compared.compared`, which is not asked where the report says
        already how far the model is from eager, and for `measure_reloads`.

    Returns
    -------
    The report of ``compiled`` with ``max_error``, ``tolerance``, ``difference`` and ``reloads``.
    """

    def tell(stage: str, done: int, total: int, detail: str) -> None:
        if progress is not None:
            progress(Progress(stage, done, total, detail))

    with tempfile.TemporaryDirectory(prefix="fastcompile-") as folder:
        measured = path
        if measured is None:
            measured = Path(folder) / "measured.fastcompile"
            compiled.save(measured)
        tell("check", 0, 1, "against eager")
        if not is_compared(compiled.report):
            compiled.report = check(compiled, model, tuple(args), dict(kwargs or {}))
        # One call, not one a path: it alternates the paths, so that a machine that gets slower or
        # faster meanwhile does it to all of them.
        tell("reload", 0, 1, f"{runs * len(PATHS)} fresh processes")
        reloads = reload(measured, paths=PATHS, runs=runs)
    report: Report = compiled.report
    artifact = report.artifact
    if path is None and artifact is not None:
        artifact = dataclasses.replace(artifact, path="(not saved)")
    return dataclasses.replace(report, reloads=reloads, artifact=artifact)
