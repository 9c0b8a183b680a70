"""Report -> the static report, as a fragment of HTML that stands on its own; see `markup.py`.

Without any style it still reads in order.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from ..records import ReloadRecord, Report
from .draw import draw_split
from .facts import (
    alarms,
    medians_note,
    miss_title,
    program_facts,
    reload_note,
    report_facts,
    summary,
)
from .layout import has_graphviz
from .markup import (
    CELL,
    FINE,
    highlight,
    html_cell,
    html_code,
    html_details,
    html_frame,
    html_margin,
    html_table,
    html_text,
)
from .palette import LOSS_FILL
from .pays import PAYS_TITLE, lost, pays_table
from .programs import program_table, program_title, program_views
from .tables import (
    CodeLine,
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
from .units import format_count, format_seconds
from .view import (
    View,
    code_lines,
    peak_bytes,
)


def mime_bundle(report: Report, race_note: str = "") -> dict[str, str]:
    """The static report on a page and in a terminal, by media type; see `render_html`."""
    text, html = render_text(report, race_note), render_html(report, race_note)
    return {"text/plain": text, "text/html": html}


# The drawing of a split graph with more boxes than this says no more than the table.
_MOST_BOXES = 40


def render_html(report: Report, race_note: str = "") -> str:
    """The static report; every string that comes from a model is inert and escaped.

    ``race_note`` is told of the warm reload, in the place of its table where there is none.
    """
    views = program_views(report)
    parts = [_heading(report)]
    if report.programs:
        table = html_table(program_table(views))
        parts.append(html_details(f"Programs, {len(views)}", table, is_open=True))
        parts += map(_section, views)
    else:
        parts += _program(views[0])
    if report.stages:
        title = f"Stages of the cold compile, {format_seconds(report.cold_seconds)}"
        parts.append(html_details(title, html_table(stage_table(report)), is_open=False))
    parts += reloads_html(report, race_note)
    return html_frame(parts, 1_100)


def _section(view: View) -> str:
    """A program of several, folded away."""
    facts = "<br>".join(map(html_text, program_facts(view.report)))
    body = [f'<div style="{FINE};margin:4px 0">{facts}</div>', *_program(view)]
    indented = f'<div style="padding-left:16px">{"".join(body)}</div>'
    return html_details(f"Program {program_title(view)}", indented, is_open=False)


def _program(view: View) -> list[str]:
    if not view.report.submodules:
        return [f"<p>{html_text('Nothing was compiled: the graph has no submodules.')}</p>"]
    return [
        _pattern(view),
        html_details("Submodules", html_table(submodule_table(view)), is_open=True),
        _code(view),
        html_details("Kernels", html_table(kernel_table(view)), is_open=False),
        *_pays(view.report),
        *_drawing(view),
    ]


def _pays(report: Report) -> list[str]:
    if report.profile is None or not report.profile.submodules:
        return []
    return [html_details(PAYS_TITLE, html_table(pays_table(report)), is_open=True)]


def _heading(report: Report) -> str:
    facts = "".join(
        f'<td style="{CELL.format("left")};padding-right:22px">'
        f'<span style="font-size:11px">{html_text(label)}</span><br>'
        f'<b style="font-size:15px;white-space:nowrap{_tone(label, report)}">{html_text(text)}</b>'
        "</td>"
        for label, text in summary(report)
    )
    lines = "<br>".join(html_text(line) for line in report_facts(report))
    alarm = "".join(
        f'<div style="font-weight:600;margin:2px 0 4px">⚠ {html_text(line)}</div>'
        for line in alarms(report)
    )
    return (
        f"{alarm}"
        f'<div style="font-size:17px;font-weight:600;margin:2px 0 4px">'
        f"{html_text(report.model)}</div>"
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0">'
        f'<tbody><tr style="background:none">{facts}</tr></tbody></table></div>'
        f'<div style="{FINE};margin:4px 0">{lines}</div>'
        f"{_miss(report)}"
    )


def _tone(label: str, report: Report) -> str:
    """Red for a call that is slower than eager's."""
    if label != "call" or not lost(report):
        return ""
    return f";background:{LOSS_FILL};color:#ffffff;border-radius:4px;padding:0 6px"


def _miss(report: Report) -> str:
    """What is not told at once of a miss."""
    title = miss_title(report)
    lines = html_code("\n".join(map(html_text, report.miss_details)))
    return html_details(title, lines, is_open=False) if title else ""


def _pattern(view: View) -> str:
    """The split graph as a line of badges; as plain text it still says the same."""
    words: list[str] = []
    for cell in pattern_line(view):
        is_bracket = cell.text.startswith(("[", "]"))
        if words and not cell.text.startswith("]") and not words[-1].endswith("[</b> "):
            words.append(" → ")
        text = f"<b>{html_text(cell.text)}</b> " if is_bracket else f"{html_cell(cell)} "
        words.append(text)
    return f'<div style="margin:8px 0;line-height:24px">{"".join(words)}</div>'


def _drawing(view: View) -> list[str]:
    if not has_graphviz() or len(view.items) > _MOST_BOXES:
        return []
    svg = draw_split(view, standalone=True).svg
    data = base64.b64encode(svg.encode()).decode()
    alt = html_text(f"Split graph: {folded_pattern(view)}")
    image = f'<img alt="{alt}" src="data:image/svg+xml;base64,{data}" style="max-width:100%">'
    return [html_details("Split graph, repeats folded", image, is_open=False)]


# --- execution code ------------------------------------------------------------------------------


def _code(view: View) -> str:
    report = view.report
    peak = peak_bytes(report)
    profiled = any(record.seconds is not None for record in report.lines)
    lines = "\n".join(_code_line(line, peak, profiled=profiled) for line in excerpt(view))
    title = f"Execution code, {format_count(len(code_lines(report)), 'line')}"
    columns = "line number, live bytes after the line (░ more while it runs, ▲ peak)"
    columns += ", run time" if profiled else ""
    caption = f'<div style="{FINE}">In the margin: {columns}; at the example sizes.</div>'
    return html_details(title, caption + html_code(lines), is_open=True)


def _code_line(line: CodeLine, peak: int, *, profiled: bool) -> str:
    if line.gap:
        return html_margin(f"{'⋮':>5}  … {format_count(line.gap, 'more line')}")
    gutter = f"{line.number:>5} {margin_text(line, peak, profiled=profiled)}"
    return f"{html_margin(gutter)} {highlight(line)}"


# --- warm reload ---------------------------------------------------------------------------------


def reloads_html(report: Report, note: str = "") -> list[str]:
    """The reload paths as fragments, with ``note``, or ``note`` in their place."""
    reloads = report.reloads
    if not reloads:
        return [f"<p>Warm reload: {html_text(note or 'not measured.')}</p>"]
    titles = {
        False: "Warm reload",
        True: "Warm reload as shipped: no compiler, empty Inductor cache",
    }
    parts = []
    for shipped, title in titles.items():
        if any(record.shipped == shipped for record in reloads):
            body = _legend(reloads) + html_table(reload_table(reloads, shipped=shipped))
            parts.append(html_details(title, body, is_open=True))
    about = f"{reload_note(report)} {medians_note(reloads)}"
    parts.append(f'<p style="{FINE};margin:2px 0">{html_text(about)}</p>')
    return [*parts, f"<p>{html_text(note)}</p>"] if note else parts


def _legend(reloads: Sequence[ReloadRecord]) -> str:
    marks = "".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:10px;'
        f'height:10px;background:{color}"></span> {html_text(name)}&nbsp;&nbsp; </span>'
        for name, color in stage_colors(reloads).items()
    )
    return f'<div style="{FINE}">{marks}</div>'
