"""Report, standing of a race -> the race alone, as text and as HTML that stands on its own."""

from __future__ import annotations

from collections.abc import Callable

from ..artifact.inert import inert
from ..records import Report, Standing
from .html import reloads_html
from .markup import html_text
from .text import reloads_text
from .units import format_count


def race_text(report: Report, standing: Standing) -> str:
    """The tables of a race so far, and why it ended before its time."""
    lines = [*_ending(standing), *_tables(report, standing, reloads_text)]
    return "\n".join(line.rstrip() for line in lines)


def race_html(report: Report, standing: Standing) -> list[str]:
    """The same as fragments of HTML."""
    said = [f"<p>{html_text(line)}</p>" for line in _ending(standing)]
    return [*said, *_tables(report, standing, reloads_html)]


def _tables(report: Report, standing: Standing, render: Callable[[Report], list[str]]) -> list[str]:
    return render(report.with_reloads(standing.reloads)) if standing.reloads else []


def _ending(standing: Standing) -> list[str]:
    if standing.state not in ("stopped", "failed"):
        return []
    done = format_count(standing.done, "fresh process", "fresh processes")
    return [inert(f"Warm reload {standing.state} after {done}: {standing.problem}.")]
