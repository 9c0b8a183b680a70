"""Report -> the static report as an HTML fragment that survives every sanitizer.

An untrusted JupyterLab and GitHub strip <style>, <script>, inline <svg>, ids and `hidden`; what
they keep is <details>, tables, inline `style=` and images with data. So nothing else is used, the
text inherits the host's colours, and without any style the report still reads in order.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from ..artifact.inert import inert_lines
from ..records import Report
from .draw import draw_split
from .layout import has_graphviz
from .palette import CODE_COLORS, CODE_GROUND, CODE_INK, Badge
from .tables import (
    Cell,
    CodeLine,
    Table,
    excerpt,
    folded_pattern,
    kernel_table,
    pattern_line,
    reload_table,
    stage_colors,
    stage_table,
    submodule_table,
)
from .text import margin_text, render_text
from .tokens import CLASSES
from .units import format_count
from .view import (
    WEIGHTS_NOTE,
    View,
    alarms,
    code_lines,
    make_view,
    peak_bytes,
    report_facts,
    summary,
)

_MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_FINE = "font-size:12px;line-height:1.5"
_CELL = "padding:2px 12px 2px 0;text-align:{};vertical-align:top;border:0;background:none"
_PRE = (
    f"margin:6px 0;padding:10px 12px;border-radius:6px;overflow:auto;max-height:26em;{_MONO};"
    f"font-size:12px;line-height:1.5;background:{CODE_GROUND};color:{CODE_INK};white-space:pre"
)
_MARGIN_COLOR = CODE_COLORS["comment"]
_BAR_WIDTH = 160
# The drawing of a split graph with more boxes than this says no more than the table.
_MOST_BOXES = 40


@dataclass(frozen=True)
class ReportView:
    """Shows a report: HTML in a notebook, text in a terminal."""

    report: Report

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": render_html(self.report)}

    def __str__(self) -> str:
        return render_text(self.report)


def render_html(report: Report) -> str:
    """The static report; every string that comes from a model is inert and escaped."""
    view = make_view(report)
    parts = [_heading(view)]
    if report.submodules:
        parts += [
            _pattern(view),
            _details("Submodules", _table(submodule_table(view)), is_open=True),
        ]
        parts.append(_code(view))
        parts.append(_details("Kernels", _table(kernel_table(view)), is_open=False))
        parts += _drawing(view)
    else:
        parts.append(f"<p>{_text('Nothing was compiled: the graph has no submodules.')}</p>")
    title = f"Stages of the cold compile, {dict(summary(report))['cold']}"
    parts.append(_details(title, _table(stage_table(view)), is_open=False))
    parts += _reloads(view)
    return f'<div style="font-size:13px;line-height:1.5;max-width:1100px">{"".join(parts)}</div>'


def render_page(report: Report) -> str:
    """The report as one offline file with the explorer in it; see `page.py`."""
    from .page import render_page as render

    return render(report)


def _text(text: str) -> str:
    return escape(inert_lines(text), quote=True)


def _details(title: str, body: str, *, is_open: bool) -> str:
    flag = " open" if is_open else ""
    head = f'<summary style="cursor:pointer;font-weight:600;padding:3px 0">{_text(title)}</summary>'
    body = f'<div style="overflow-x:auto">{body}</div>'
    return f'<details{flag} style="margin:6px 0">{head}{body}</details>'


def _heading(view: View) -> str:
    facts = "".join(
        f'<td style="{_CELL.format("left")};padding-right:22px">'
        f'<span style="font-size:11px">{_text(label)}</span><br>'
        f'<b style="font-size:15px;white-space:nowrap">{_text(text)}</b></td>'
        for label, text in summary(view.report)
    )
    lines = "<br>".join(_text(line) for line in report_facts(view.report))
    alarm = "".join(
        f'<div style="font-weight:600;margin:2px 0 4px">⚠ {_text(line)}</div>'
        for line in alarms(view.report)
    )
    return (
        f"{alarm}"
        f'<div style="font-size:17px;font-weight:600;margin:2px 0 4px">'
        f"{_text(view.report.model)}</div>"
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0">'
        f'<tbody><tr style="background:none">{facts}</tr></tbody></table></div>'
        f'<div style="{_FINE};margin:4px 0">{lines}</div>'
    )


def _badge(badge: Badge) -> str:
    style = (
        f"display:inline-block;padding:0 6px;border-radius:4px;background:{badge.fill};"
        f"color:#ffffff;font-size:11px;line-height:18px;white-space:nowrap"
    )
    return f'<span style="{style}">{badge.shape} {badge.label}</span>'


def _bar(shares: Iterable[tuple[float, str]]) -> str:
    pieces = [(share * _BAR_WIDTH, color) for share, color in shares if share > 0]
    if pieces and sum(width for width, _ in pieces) < 2:
        # Too short to be seen: a sliver in the colour of what took longest.
        pieces = [(2.0, max(pieces)[1])]
    blocks = "".join(
        f'<span style="display:inline-block;height:12px;width:{width:.1f}px;'
        f'background:{color}"></span>'
        for width, color in pieces
    )
    return f'<span style="white-space:nowrap;line-height:0">{blocks}</span> '


def _cell(cell: Cell) -> str:
    parts = [_bar(cell.bar)] if cell.bar else []
    if cell.badge:
        parts.append(f"{_badge(cell.badge)} ")
    return "&nbsp;" * 6 * cell.indent + "".join(parts) + _text(cell.text)


def _table(table: Table) -> str:
    align = ["right" if n in table.numeric else "left" for n in range(len(table.heads))]
    heads = "".join(
        f'<th scope="col" style="{_CELL.format(side)};font-weight:600;white-space:nowrap">'
        f"{_text(head)}</th>"
        for head, side in zip(table.heads, align, strict=True)
    )
    # Only the last column, which explains, may wrap.
    styles = [f"{_CELL.format(side)};white-space:nowrap" for side in align[:-1]]
    styles.append(_CELL.format(align[-1]))
    body = "".join(
        '<tr style="background:none">'
        + "".join(
            f'<td style="{style}">{_cell(cell)}</td>'
            for cell, style in zip(row, styles, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    rest = (
        f"<p>… {format_count(table.rest, 'more row')}; the explorer shows all.</p>"
        if table.rest
        else ""
    )
    return (
        f'<table style="border-collapse:collapse;margin:2px 0;{_FINE}"><thead>'
        f'<tr style="background:none">{heads}</tr></thead><tbody>{body}</tbody></table>{rest}'
    )


def _pattern(view: View) -> str:
    """The split graph as a line of badges; as plain text it still says the same."""
    words: list[str] = []
    for cell in pattern_line(view):
        is_bracket = cell.text.startswith(("[", "]"))
        if words and not cell.text.startswith("]") and not words[-1].endswith("[</b> "):
            words.append(" → ")
        text = f"<b>{_text(cell.text)}</b> " if is_bracket else f"{_cell(cell)} "
        words.append(text)
    return f'<div style="margin:8px 0;line-height:24px">{"".join(words)}</div>'


def _drawing(view: View) -> list[str]:
    if not has_graphviz() or len(view.items) > _MOST_BOXES:
        return []
    svg = draw_split(view, standalone=True).svg
    data = base64.b64encode(svg.encode()).decode()
    alt = f"Split graph: {folded_pattern(view)}"
    image = (
        f'<img alt="{_text(alt)}" src="data:image/svg+xml;base64,{data}" style="max-width:100%">'
    )
    return [_details("Split graph, repeats folded", image, is_open=False)]


# --- execution code ------------------------------------------------------------------------------


def _code(view: View) -> str:
    report = view.report
    peak = peak_bytes(report)
    profiled = any(record.seconds is not None for record in report.lines)
    lines = "\n".join(_code_line(line, peak, profiled=profiled) for line in excerpt(view))
    title = f"Execution code, {format_count(len(code_lines(report)), 'line')}"
    columns = "line number, live bytes after the line (░ more while it runs, ▲ peak)"
    columns += ", run time" if profiled else ""
    caption = f'<div style="{_FINE}">In the margin: {columns}; at the example sizes.</div>'
    return _details(title, f'{caption}<pre style="{_PRE}">{lines}</pre>', is_open=True)


def _code_line(line: CodeLine, peak: int, *, profiled: bool) -> str:
    if line.gap:
        text = f"{'⋮':>5}  … {format_count(line.gap, 'more line')}"
        return f'<span style="color:{_MARGIN_COLOR}">{text}</span>'
    gutter = f"{line.number:>5} {margin_text(line, peak, profiled=profiled)}"
    return f'<span style="color:{_MARGIN_COLOR}">{_text(gutter)}</span> {highlight(line)}'


def highlight(line: CodeLine) -> str:
    """The text of a line with its runs coloured by inline styles."""
    parts, at = [], 0
    for length, kind in zip(line.runs[::2], line.runs[1::2], strict=True):
        piece = escape(line.text[at : at + length])
        color = CODE_COLORS.get(CLASSES[kind])
        parts.append(f'<span style="color:{color}">{piece}</span>' if color else piece)
        at += length
    parts.append(escape(line.text[at:]))
    return "".join(parts)


# --- warm reload ---------------------------------------------------------------------------------


def _reloads(view: View) -> list[str]:
    reloads = view.report.reloads
    if not reloads:
        return ["<p>Warm reload: not measured.</p>"]
    titles = {
        False: "Warm reload",
        True: "Warm reload as shipped: no compiler, empty Inductor cache",
    }
    parts = []
    for shipped, title in titles.items():
        if any(record.shipped == shipped for record in reloads):
            body = _legend(view) + _table(reload_table(view, shipped=shipped))
            parts.append(_details(title, body, is_open=True))
    runs = max(record.runs for record in reloads)
    note = f"{WEIGHTS_NOTE} Medians of {format_count(runs, 'run')}."
    return [*parts, f'<p style="{_FINE};margin:2px 0">{_text(note)}</p>']


def _legend(view: View) -> str:
    marks = "".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:10px;'
        f'height:10px;background:{color}"></span> {_text(name)}&nbsp;&nbsp; </span>'
        for name, color in stage_colors(view.report.reloads).items()
    )
    return f'<div style="{_FINE}">{marks}</div>'
