"""Texts of somebody else's file -> folded sections of a page that has no explorer and no script."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..artifact.inert import inert
from .document import html_document
from .markup import highlight, html_code, html_details, html_frame, html_margin, html_table
from .tables import Cell, CodeLine, Table, cap_rows
from .tokens import tokenise
from .units import format_count

_SHOWN_LINES = 400
_SHOWN_LINE = 2_000
_SHOWN_CELL = 300


def frame(parts: Iterable[str]) -> str:
    """All parts as one fragment."""
    return html_frame(parts, 1_400)


def write_document(path: str | os.PathLike[str], subject: str, fragment: str) -> None:
    """Write the fragment as one HTML file."""
    page = html_document(subject, f"<main>{fragment}</main>")
    Path(path).write_text(page, encoding="utf-8")


def text_cell(text: str) -> Cell:
    """A cell that holds the beginning of any text."""
    return Cell(inert(text, limit=_SHOWN_CELL))


def section(
    title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, is_open: bool = False
) -> list[str]:
    """Rows of text as a table that is folded away; nothing where there are no rows."""
    if not rows:
        return []
    table = Table(heads, tuple(tuple(map(text_cell, row)) for row in rows))
    return [table_section(f"{title}, {len(rows)}", table, is_open=is_open)]


def table_section(title: str, table: Table, *, is_open: bool) -> str:
    """The first rows of a table, folded away; the others are in the record."""
    shown = html_table(cap_rows(table), rest="to_json() has all")
    return html_details(title, shown, is_open=is_open)


def code_section(title: str, text: str, language: str, *, is_open: bool = False) -> str:
    """A text that is folded away below its title."""
    return html_details(title, code_block(text, language), is_open=is_open)


def code_block(text: str, language: str) -> str:
    """The first lines of a text, numbered and coloured."""
    lines = text.split("\n")
    shown = tokenise("\n".join(line[:_SHOWN_LINE] for line in lines[:_SHOWN_LINES]), language)
    body = "\n".join(
        f"{html_margin(f'{number:>5}')}  {highlight(CodeLine(number, line, runs))}"
        for number, (line, runs) in enumerate(shown, 1)
    )
    rest = len(lines) - _SHOWN_LINES
    more = html_margin(f"\n{'⋮':>5}  … {format_count(rest, 'more line')}") if rest > 0 else ""
    return html_code(body + more)
