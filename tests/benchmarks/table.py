"""Rows of text -> a table for a terminal, or the same in Markdown."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipy_fastcompile.artifact.inert import inert
from ipy_fastcompile.artifact.units import format_bytes
from ipy_fastcompile.show.units import format_seconds

# What a cell shows where nothing was measured.
NOTHING = "-"
_LONGEST_SAYING = 220


@dataclass(frozen=True)
class Table:
    """A title, heads and rows of text, and what a reader must know to read them.

    ``left`` are the indices of columns that are words; all others are numbers.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    left: tuple[int, ...] = (0,)


def render_text(table: Table) -> str:
    """The table in columns, its title above and its notes below."""
    grid = [table.heads, *table.rows]
    widths = [max(map(_width, column)) for column in zip(*grid, strict=True)]
    lines = [table.title, ""]
    for row in grid:
        cells = [
            _pad(text, width, left=position in table.left)
            for position, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    lines += ["", *(f"  {note}" for note in table.notes)] if table.notes else []
    return "\n".join(map(inert, lines)) + "\n"


def render_markdown(table: Table) -> str:
    """The table as GitHub writes tables; a bar in a cell does not end it."""
    marks = [":--" if i in table.left else "--:" for i in range(len(table.heads))]
    rows = [table.heads, marks, *table.rows]
    lines = [f"### {table.title}", ""]
    lines += [
        f"| {' | '.join(inert(str(c)).replace('|', chr(92) + '|') for c in r)} |" for r in rows
    ]
    lines += ["", *(f"- {inert(note)}" for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int, *, left: bool) -> str:
    gap = " " * (width - _width(text))
    return text + gap if left else gap + text


def seconds(value: float | None) -> str:
    """``3.9 ms``; a dash for None."""
    return NOTHING if value is None else format_seconds(value)


def size(value: float | None) -> str:
    """``812 kB``; a dash for None."""
    return NOTHING if value is None else format_bytes(int(value))


def times(larger: float | None, smaller: float | None) -> str:
    """How many times larger: ``412 x``; a dash where one of them is missing."""
    if not larger or not smaller:
        return NOTHING
    ratio = larger / smaller
    return f"{ratio:,.0f} x" if ratio >= 100 else f"{ratio:.3g} x"


def percent_less(before: float | None, after: float | None) -> str:
    """How much less, in percent: ``99.93``; a dash where one of them is missing.

    From 99 on two digits follow the point, for the last percent is where the figures differ.
    """
    if not before or after is None:
        return NOTHING
    percent = 100 * (1 - after / before)
    return f"{percent:.2f}" if percent >= 99 else f"{percent:.1f}"


class Sayings:
    """What failing children said, numbered: a cell holds ``fails [1]``, a note the text."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str, word: str = "fails") -> str:
        """The cell for a failure; the same text gets the same number."""
        short = " ".join(text.split())
        if len(short) > _LONGEST_SAYING:
            short = f"{short[:_LONGEST_SAYING].rsplit(' ', 1)[0]} ..."
        if short not in self._texts:
            self._texts.append(short)
        return f"{word} [{self._texts.index(short) + 1}]"

    def notes(self) -> tuple[str, ...]:
        """The notes that the cells point at."""
        return tuple(f"[{number}] {text}" for number, text in enumerate(self._texts, 1))


def heading(document: Mapping[str, Any]) -> list[str]:
    """Where, when, with what, and by which command the results came to be."""
    machine, versions = document.get("machine", {}), document.get("versions", {})
    memory = machine.get("memory")
    load = document.get("load average", [])
    until = document.get("finished") or "not finished"
    facts = [
        f"Command: {document.get('command', '')}",
        f"Date: {document.get('started', '')} to {until}",
        (
            f"Machine: {machine.get('processor', '')}; {machine.get('cores', '?')} cores, "
            f"{size(memory)} memory, {machine.get('vector ISA', '')}"
        ),
        f"Load average at start and end: {', '.join(map(str, load))}",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items() if v),
    ]
    if document.get("inductor cache"):
        facts.append(f"Inductor cache: {document['inductor cache']}; cold compiles are not cold")
    environment = document.get("environment", {})
    if environment:
        facts.append("Environment: " + ", ".join(f"{k}={v}" for k, v in environment.items()))
    imports = document.get("imports", {})
    if imports:
        facts.append(
            "Imports: "
            + ", ".join(
                f"{name.removeprefix('import ')} {seconds(s)}" for name, s in imports.items()
            )
        )
    return [inert(fact) for fact in facts]


def render_document(document: Mapping[str, Any], tables: Sequence[Table], *, markdown: bool) -> str:
    """All tables of a document under its heading."""
    lines = heading(document)
    if markdown:
        parts = ["\n".join(f"- {line}" for line in lines) + "\n", *map(render_markdown, tables)]
    else:
        parts = ["\n".join(lines) + "\n", *map(render_text, tables)]
    return "\n".join(parts)
