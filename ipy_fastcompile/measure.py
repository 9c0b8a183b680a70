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

from .records import Progress, Report

PATHS = ("native", "torch", "fx")


def is_compared(report: Report) -> bool:
    """Whether a report says how far the model is from eager with the weights of now."""
    return bool(report.tolerance) and report.cache != "hit"


def measure(
    compiled: Any,
    model: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    calls: Any = None,
    path: Path | None = None,
    runs: int = 3,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Compare a compiled model with eager, and time its reload along every path.

    Parameters
    ----------
    compiled:
        What `ipy_fastcompile.compile` returned.
    model, args, kwargs:
        The call it was compiled from.
    calls:
        The calls of several kinds that it was compiled from, in its place.
    path:
        The saved artifact. Without it a copy is saved, measured and removed.
    runs:
        Fresh processes for each reload path; the report holds medians.
    progress:
        Called with the stages "check" and "reload".

    Returns
    -------
    The report of ``compiled`` with ``max_error``, ``tolerance``, ``difference`` and ``reloads``.
    """
    from .runtime.fresh import measure_reloads
    from .verification.compared import compared

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
            compiled.report = compared(
                compiled, model, tuple(args), dict(kwargs or {}), calls=calls
            )
        # One call, not one a path: it alternates the paths, so that a machine that gets slower or
        # faster meanwhile does it to all of them.
        tell("reload", 0, 1, f"{runs * len(PATHS)} fresh processes")
        reloads = measure_reloads(measured, paths=PATHS, runs=runs)
    report: Report = compiled.report
    artifact = report.artifact
    if path is None and artifact is not None:
        artifact = dataclasses.replace(artifact, path="(not saved)")
    return dataclasses.replace(report, reloads=reloads, artifact=artifact)
