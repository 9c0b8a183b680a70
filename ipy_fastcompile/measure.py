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
    from .runtime.request import PATHS

    compiled.report = check(compiled, model, args, kwargs, calls=calls, progress=progress)
    if progress is not None:
        progress(Progress("reload", 0, 1, f"{runs * len(PATHS)} fresh processes"))
    with tempfile.TemporaryDirectory(prefix="fastcompile-") as folder:
        measured = path
        if measured is None:
            measured = Path(folder) / "measured.fastcompile"
            compiled.report = _weighed(compiled, measured)
        # One call, not one a path: it alternates the paths, so that a machine that gets slower or
        # faster meanwhile does it to all of them.
        reloads = measure_reloads(measured, paths=PATHS, runs=runs)
    report: Report = compiled.report
    return report.with_reloads(reloads)


def weigh(compiled: Any) -> Report:
    """The report of a compiled model that nobody saves, with the size of its artifact."""
    with tempfile.TemporaryDirectory(prefix="fastcompile-") as folder:
        return _weighed(compiled, Path(folder) / "weighed.fastcompile")


def _weighed(compiled: Any, path: Path) -> Report:
    compiled.save(path)
    report: Report = compiled.report
    artifact = report.artifact and dataclasses.replace(report.artifact, path="(not saved)")
    return dataclasses.replace(report, artifact=artifact)


def check(
    compiled: Any,
    model: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    calls: Any = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """The report of a compiled model with ``max_error``, ``tolerance`` and ``difference``.

    The arguments are those of `measure`. A report that tells them of the weights of now is
    returned as it is.
    """
    from .verification.compared import compared

    if progress is not None:
        progress(Progress("check", 0, 1, "against eager"))
    if is_compared(compiled.report):
        report: Report = compiled.report
        return report
    return compared(compiled, model, tuple(args), dict(kwargs or {}), calls=calls)
