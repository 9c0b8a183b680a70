"""Two compiles side by side -> text and HTML; the first thing that differs is named first."""

from __future__ import annotations

from ..artifact.inert import inert, inert_lines
from ..comparisons import CompileComparison, KernelPair, Row
from .markup import html_details, html_table, html_text
from .sections import code_section, frame
from .tables import Cell, Table, cap_rows
from .text import table_lines

_SHOWN_LINES = 200
_LONGEST = 300


def mime_bundle(found: CompileComparison) -> dict[str, str]:
    """The comparison by media type."""
    return {"text/plain": render_text(found), "text/html": render_html(found)}


def render_text(found: CompileComparison) -> str:
    """The comparison for a terminal."""
    parts = _heading(found)
    for title, table in _tables(found):
        parts += ["", title, *table_lines(table)]
    diffs = [(_pair_title(pair), pair.diff) for pair in found.kernels if pair.diff]
    if found.files is None and found.code:  # the files' texts are compared below
        diffs.insert(0, ("Execution code", found.code))
    for title, diff in diffs if found.files is None else ():
        lines = inert_lines(diff).splitlines()
        parts += ["", title, *(f"  {line}" for line in lines[:_SHOWN_LINES])]
        if len(lines) > _SHOWN_LINES:
            parts.append(f"  and {len(lines) - _SHOWN_LINES} more lines")
    if found.files is not None:
        parts += ["", "The files", str(found.files)]
    return "\n".join(line.rstrip() for line in parts) + "\n"


def render_html(found: CompileComparison) -> str:
    """The comparison as a fragment."""
    first, second, differs = _heading(found)
    parts = [f"<div><b>{html_text(line)}</b></div>" for line in (first, second)]
    parts.append(f"<p>{html_text(differs)}</p>")
    for title, table in _tables(found):
        parts.append(
            html_details(title, html_table(table, rest="the record has all"), is_open=True)
        )
    if found.code:
        parts.append(code_section("Execution code", found.code, "text", is_open=True))
    pairs = [pair for pair in found.kernels if pair.diff]
    parts += [code_section(_pair_title(pair), pair.diff, "text") for pair in pairs]
    if found.files is not None:
        parts.append(code_section("The files", str(found.files), "text"))
    return frame(parts)


def _heading(found: CompileComparison) -> list[str]:
    names = [f"{letter}  {inert(name)}" for letter, name in zip("ab", found.names, strict=True)]
    if not found.first:
        return [*names, "Nothing but times differs."]
    return [*names, f"What differs first: {inert(found.first, limit=_LONGEST)}"]


def _tables(found: CompileComparison) -> list[tuple[str, Table]]:
    sections: tuple[tuple[str, tuple[Row, ...]], ...] = (
        ("Settings", found.settings),
        ("Split", found.split),
        ("Kernels, matched by what they compute", tuple(map(_kernel_row, found.kernels))),
        ("Passes and fusions", found.inductor),
        ("Sizes", found.sizes),
        ("Times", found.times),
    )
    return [
        (title, cap_rows(Table(("", "a", "b"), tuple(map(_cells, rows)))))
        for title, rows in sections
        if rows
    ]


def _cells(row: Row) -> tuple[Cell, ...]:
    return tuple(Cell(inert(text, limit=_LONGEST)) for text in row)


def _kernel_row(pair: KernelPair) -> Row:
    of = f"{pair.program}: " if pair.program else ""
    a, b = (f"K{index}" if index is not None else "" for index in (pair.a, pair.b))
    if pair.a is None or pair.b is None:
        return f"{of}only in {'b' if pair.a is None else 'a'}", a, b
    if not pair.same:
        return f"{of}in the same place, another one", a, b
    return f"{of}the same{'' if pair.same_code else ', written in another way'}", a, b


def _pair_title(pair: KernelPair) -> str:
    what = "what Inductor wrote" if pair.same else "what they compute"
    of = f"{inert(pair.program)}: " if pair.program else ""
    return f"{of}K{pair.a} of a and K{pair.b} of b: {what}"
