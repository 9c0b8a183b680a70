"""Explained -> the passes that a kernel's graph went through, and what each of them changed."""

from __future__ import annotations

from typing import Any

from ..artifact.inert import inert
from ..explained import DiffLine, Explained, PassRecord
from .explained import place
from .units import format_count, format_seconds


def changing_passes(explained: Explained) -> tuple[PassRecord, ...]:
    """The passes that changed the graph, in the order in which they ran."""
    return tuple(one for one in explained.passes if one.changed)


def passes_content(explained: Explained) -> dict[str, Any]:
    """Plain data for `static/passes.js`, which has its type as `PassesContent`."""
    passes, changed = explained.passes, changing_passes(explained)
    took = format_seconds(sum(one.seconds for one in passes))
    return {
        "why": inert(explained.missing),
        "note": f"{format_count(len(passes), 'pass', 'passes')} in {took}, "
        f"{format_count(len(changed)) if changed else 'none'} of which changed the graph.",
        "changed": list(map(_pass, changed)),
        "unchanged": [_pass(one) for one in passes if not one.changed],
    }


def diff_text(line: DiffLine) -> str:
    """A line of the graph; one that came or went ends with the user's line that it stems from."""
    said = f"{line.text}  # {place(line.source)}" if line.source and line.mark != " " else line.text
    return said.replace("\n", " ")


def _pass(one: PassRecord) -> dict[str, Any]:
    marks = [line.mark for line in one.diff]
    more = f"; {format_count(one.left_out, 'more line')} not kept" if one.left_out else ""
    return {
        "name": inert(one.name),
        "stage": inert(one.stage),
        "added": marks.count("+"),
        "removed": marks.count("-"),
        "seconds": one.seconds,
        "more": more,
    }
