"""Two of a compiled model, a report and a file -> what differs; the public `compare`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..artifact.compare import ArtifactComparison
from ..comparisons import CompileComparison
from ..errors import CallError
from ..foreign.compare import compare as compare_files
from ..foreign.comparison import ForeignComparison
from ..records import Report
from .reports import compare_reports


def compare(a: Any, b: Any) -> CompileComparison | ArtifactComparison | ForeignComparison:
    """What differs between two compiles, the first thing first.

    Parameters
    ----------
    a, b:
        A compiled model, its report, or the path of a file; two files may be of any kinds that
        `inspect` reads. Nothing is loaded, unpickled or run.

    Returns
    -------
    A `CompileComparison`, which shows itself: settings, split, kernels matched by what they
    compute, passes and fusions, execution code, sizes and times. Of two files of which one has no
    report, what can be compared of files.

    Raises
    ------
    CallError
        For anything else, and for a file without a report beside what is no file.
    ArtifactError
        As `inspect` does.
    """
    if _is_path(a) and _is_path(b):
        files = compare_files(Path(a).expanduser(), Path(b).expanduser())
        if not isinstance(files, ArtifactComparison):
            return files
        first, second = files.a.report, files.b.report
        if first is None or second is None:
            return files
        names = files.a.path, files.b.path
        return replace(compare_reports(first, second, names), files=files)
    reports = _report_of(a, "a"), _report_of(b, "b")
    named = tuple(
        str(one) if _is_path(one) else f"{letter}, {report.model}"
        for one, letter, report in zip((a, b), "ab", reports, strict=True)
    )
    return compare_reports(*reports, (named[0], named[1]))


def _is_path(one: Any) -> bool:
    return isinstance(one, (str, os.PathLike))


def _report_of(one: Any, argument: str) -> Report:
    if isinstance(one, Report):
        return one
    if _is_path(one):
        from ..artifact.inspect import inspect

        one = inspect(Path(one).expanduser())
    report = getattr(one, "report", None)
    if isinstance(report, Report):
        return report
    raise CallError(
        f"{argument} is a {type(one).__name__} without a report.",
        "Pass what compile returned, its report, or the path of a file that it saved.",
    )
