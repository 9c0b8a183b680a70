"""A `ForeignArtifact`, or two compared -> HTML: a fragment for a notebook, a page for a browser.

Like the report: nothing but details, tables and inline styles, and no script, not even in the page.
Every string of the file is inert and escaped.
"""

from __future__ import annotations

from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from .html import _FINE, _PRE, _details, _table, _text, highlight
from .palette import Badge, kernel_badge
from .tables import Cell, CodeLine, Table, cap_rows
from .tokens import tokenise
from .units import TIMES, format_count, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..foreign.compare import ForeignComparison
    from ..foreign.records import ForeignArtifact, ForeignText

_CLAIM = "Its texts are claims of whoever made it. Nothing in it was imported or run."
_SHOWN_TEXTS = 40
_SHOWN_KERNELS = 40
_SHOWN_LINES = 400
_SHOWN_CELL = 300
_BODY = 4_000_000  # characters of a page; texts past it are named, not shown
# As text on any ground: by the label, never by colour alone.
_DANGER_FILLS = ("#a3242b", "#b2541a", "#86661a", "#6b7078", "#2a6fbb", "#3d7d2c")
_DANGER_SHAPES = "▲▲◆○■●"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; padding: 16px; background: Canvas; color: CanvasText;
  font-family: system-ui, sans-serif; }}
</style>
</head>
<body><main>{body}</main></body>
</html>
"""


def foreign_page(artifact: ForeignArtifact) -> str:
    """The record as one offline page."""
    return _PAGE.format(
        title=escape(f"{inert(artifact.path)} - ipy_fastcompile"), body=foreign_html(artifact)
    )


def comparison_page(comparison: ForeignComparison) -> str:
    """The comparison as one offline page."""
    title = f"{inert(comparison.a.path)} and {inert(comparison.b.path)} - ipy_fastcompile"
    return _PAGE.format(title=escape(title), body=comparison_html(comparison))


def foreign_html(artifact: ForeignArtifact) -> str:
    """The record as a fragment."""
    parts = [_heading(artifact)]
    parts += _globals(artifact)
    parts += _section(
        "Values", ("kind", "name", ""), [(v.kind, v.name, v.detail) for v in artifact.values]
    )
    parts += _kernels(artifact)
    parts += _section("Guards", ("condition",), [(guard,) for guard in artifact.guards])
    parts += _section(
        "Binaries",
        ("name", "kind", "size", "sha256"),
        [(b.name, b.kind, format_bytes(b.size), b.sha256[:16]) for b in artifact.binaries],
    )
    parts += _section(
        "Not read", ("where", "why"), [(u.where, u.why) for u in artifact.unread], is_open=True
    )
    parts += _texts(artifact)
    return _frame(parts)


def _frame(parts: Iterable[str]) -> str:
    return f'<div style="font-size:13px;line-height:1.5;max-width:1400px">{"".join(parts)}</div>'


def _heading(artifact: ForeignArtifact) -> str:
    version = f", {artifact.version}" if artifact.version else ""
    lines = [
        f"{artifact.path} · {format_bytes(artifact.size)}",
        f"sha256:{artifact.sha256}" if artifact.sha256 else "",
        _CLAIM,
        artifact.loads_by,
        *(f"{name}: {text}" for name, text in artifact.facts[:40]),
        *(f"stamp {name}: {text}" for name, text in artifact.stamps[:40]),
    ]
    shown = "<br>".join(_text(shorten(line, 400)) for line in lines if line)
    title = _text(shorten(f"{artifact.format}{version}", 200))
    return (
        f'<div style="font-size:17px;font-weight:600;margin:2px 0 4px">{title}</div>'
        f'<div style="{_FINE};margin:4px 0">{shown}</div>'
    )


def _cells(row: Iterable[str]) -> tuple[Cell, ...]:
    return tuple(Cell(inert(text, limit=_SHOWN_CELL)) for text in row)


def _section(
    title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, is_open: bool = False
) -> list[str]:
    if not rows:
        return []
    table = cap_rows(Table(heads, tuple(map(_cells, rows))))
    return [_details(f"{title}, {len(rows)}", _shown(table), is_open=is_open)]


def _shown(table: Table) -> str:
    """A table; what was left out is in the record, not in an explorer."""
    text = _table(Table(table.heads, table.rows, table.numeric))
    rest = f"<p>… {format_count(table.rest, 'more row')}; to_json() has all.</p>"
    return text + (rest if table.rest else "")


def _globals(artifact: ForeignArtifact) -> list[str]:
    if not artifact.globals:
        return [f"<p>{_text('Loading it imports no global by name.')}</p>"]
    rows = []
    for entry in artifact.globals:
        fill, shape = _DANGER_FILLS[entry.rank], _DANGER_SHAPES[entry.rank]
        computed = ", its name computed while it loads" if entry.is_computed else ""
        rows.append(
            (
                Cell("", badge=Badge(entry.danger, shape, fill, -1)),
                Cell(inert(entry.name, limit=_SHOWN_CELL)),
                Cell(f"{entry.calls}{TIMES}" if entry.calls else ""),
                Cell(f"{entry.purpose}{computed}"),
            )
        )
    table = cap_rows(Table(("", "global", "called", "what it is for"), tuple(rows)))
    title = f"Loading it would import {format_count(len(rows), 'global')}, worst first"
    return [_details(title, _shown(table), is_open=True)]


def _kernels(artifact: ForeignArtifact) -> list[str]:
    """Twins have one badge: kernels of equal sources."""
    numbers = {d: n for n, d in enumerate(dict.fromkeys(k.digest for k in artifact.kernels))}
    rows = []
    for kernel in artifact.kernels:
        cells = (
            Cell("", badge=kernel_badge(numbers[kernel.digest])),
            Cell(inert(kernel.name, limit=_SHOWN_CELL)),
            Cell(kernel.language),
            Cell(format_count(kernel.text.count("\n") + 1)),
            Cell(format_count(kernel.twins) if kernel.twins > 1 else ""),
            Cell(inert(kernel.where, limit=_SHOWN_CELL)),
        )
        rows.append(cells)
    if not rows:
        return []
    heads = ("kernel", "name", "language", "lines", "twins", "in")
    table = cap_rows(Table(heads, tuple(rows), frozenset({3, 4})))
    title = f"Kernels, {len(rows)}; {len(numbers)} compute different things"
    parts = [_details(title, _shown(table), is_open=True)]
    seen: set[str] = set()
    for kernel in artifact.kernels:
        if kernel.digest not in seen and len(seen) < _SHOWN_KERNELS:
            seen.add(kernel.digest)
            label = f"K{numbers[kernel.digest]} {shorten(kernel.name, 120)}"
            parts.append(_details(label, _code(kernel.text, kernel.language), is_open=False))
    return parts


def _texts(artifact: ForeignArtifact) -> list[str]:
    parts, left = [], _BODY
    for number, text in enumerate(artifact.texts):
        if number >= _SHOWN_TEXTS or left <= 0:
            rest = len(artifact.texts) - number
            parts.append(f"<p>… {format_count(rest, 'more text')}; to_folder() writes all.</p>")
            break
        parts.append(_one_text(text, is_open=number == 0))
        left -= len(parts[-1])
    return parts


def _one_text(text: ForeignText, *, is_open: bool) -> str:
    count = format_count(text.text.count("\n") + 1, "line")
    title = f"{shorten(text.name, 160)} · {text.role}, {count}"
    return _details(title, _code(text.text, text.language), is_open=is_open)


def _code(text: str, language: str) -> str:
    lines = text.split("\n")
    shown = tokenise("\n".join(line[:2_000] for line in lines[:_SHOWN_LINES]), language)
    body = "\n".join(
        f"{number:>5}  {highlight(CodeLine(number, line, runs))}"
        for number, (line, runs) in enumerate(shown, 1)
    )
    rest = len(lines) - _SHOWN_LINES
    more = f"\n  and {format_count(rest, 'more line')}" if rest > 0 else ""
    return f'<pre style="{_PRE}">{body}{more}</pre>'


# --- two of them ---------------------------------------------------------------------------------


def comparison_html(comparison: ForeignComparison) -> str:
    """The comparison as a fragment."""
    a, b = comparison.a, comparison.b
    parts = []
    for letter, one in (("a", a), ("b", b)):
        version = f", {one.version}" if one.version else ""
        line = f"{letter}: {one.path} · {one.format}{version} · {format_bytes(one.size)}"
        parts.append(f"<div><b>{_text(shorten(line, 400))}</b></div>")
    if comparison.is_equal:
        return _frame([*parts, f"<p>{_text('They are the same bytes.')}</p>"])
    parts += _kernel_pairs(comparison)
    parts += _section(
        "Values that differ",
        ("kind", "name", "a", "b"),
        [(v.kind, v.name, v.a or "not there", v.b or "not there") for v in comparison.values],
    )
    stamps = dict(a.stamps), dict(b.stamps)
    rows = [
        (name, stamps[0].get(name, "not said"), stamps[1].get(name, "not said"))
        for name in {**stamps[0], **stamps[1]}
        if stamps[0].get(name) != stamps[1].get(name)
    ]
    parts += _section("Stamps that differ", ("stamp", "a", "b"), rows)
    parts.append(_beside(comparison))
    return _frame(parts)


def _kernel_pairs(comparison: ForeignComparison) -> list[str]:
    rows = [(a, b, "computes the same") for a, b in comparison.shared]
    near = comparison.near
    rows += [(pair.a, pair.b, f"{pair.share:.0%} alike") for pair in near]
    paired = {pair.a for pair in near}, {pair.b for pair in near}
    rows += [(name, "", "only in a") for name in comparison.only_a if name not in paired[0]]
    rows += [("", name, "only in b") for name in comparison.only_b if name not in paired[1]]
    parts = _section("Kernels", ("a", "b", ""), rows, is_open=True)
    for pair in near[:10]:
        title = f"{shorten(pair.a, 100)} -> {shorten(pair.b, 100)}"
        parts.append(_details(title, _code(pair.diff, "text"), is_open=False))
    return parts


def _beside(comparison: ForeignComparison) -> str:
    columns = [
        f'<td style="vertical-align:top;width:50%;max-width:700px">{_code(code, language)}</td>'
        for code, language in zip_longest(
            (comparison.code_a, comparison.code_b),
            (comparison.language_a, comparison.language_b),
        )
    ]
    table = f'<table style="width:100%"><tbody><tr>{"".join(columns)}</tr></tbody></table>'
    return _details("Code that calls the kernels, a and b", table, is_open=True)
