"""Report -> text for a terminal: the same tables as the HTML report, drawn with characters."""

from __future__ import annotations

import unicodedata

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import Report
from .facts import (
    alarms,
    medians_note,
    miss_title,
    program_facts,
    reload_note,
    report_facts,
    summary_line,
)
from .pays import PAYS_TITLE, pays_table
from .programs import program_table, program_title, program_views
from .tables import (
    Cell,
    CodeLine,
    Table,
    excerpt,
    kernel_table,
    pattern_line,
    reload_table,
    stage_table,
    submodule_table,
)
from .units import block_bar, format_count, format_seconds, shorten
from .view import (
    View,
    code_lines,
    most_bytes,
    peak_bytes,
)

_BAR = 20
_LONGEST_CELL = 72
_LONGEST_LAST_CELL = 200  # nothing is to its right, and a reason should keep its middle
_LONGEST_CODE = 150


def render_text(report: Report, race_note: str = "") -> str:
    """The report as text: plain characters, no escape sequences, nothing that steers a terminal.

    ``race_note`` is told of the warm reload, in the place of its table where there is none.
    """
    views = program_views(report)
    parts = [*alarms(report), summary_line(report), *report_facts(report), *_miss(report), ""]
    if report.programs:
        parts += ["Programs", *table_lines(program_table(views)), ""]
    parts += ["Stages of the cold compile", *table_lines(stage_table(report)), ""]
    for view in views:
        if report.programs:
            parts += [f"Program {program_title(view)}", *program_facts(view.report), ""]
        parts += _program(view)
    parts += reloads_text(report, race_note)
    return "\n".join(line.rstrip() for line in parts).rstrip() + "\n"


def _miss(report: Report) -> list[str]:
    """How to see what is not told of a miss."""
    title = miss_title(report)
    how = f"%fastcompile_cache why {inert(report.key[:12])}, or report.miss_details"
    return [f"{title}: {how}"] if title else []


def _program(view: View) -> list[str]:
    """Submodules, kernels and execution code, with an empty line at the end."""
    if not view.report.submodules:
        return ["Nothing was compiled: the graph has no submodules.", ""]
    length = format_count(len(code_lines(view.report)), "line")
    legend = "bytes alive after each line, ░ more while it runs, ▲ peak"
    return [
        "Submodules in call order",
        f"  {_pattern(view)}",
        "",
        *table_lines(submodule_table(view)),
        "",
        "Kernels",
        *table_lines(kernel_table(view)),
        "",
        *_pays(view.report),
        f"Execution code, {length}: {legend}",
        *_code(view),
        "",
    ]


def _pays(report: Report) -> list[str]:
    if report.profile is None or not report.profile.submodules:
        return []
    return [PAYS_TITLE, *table_lines(pays_table(report)), ""]


def _width(text: str) -> int:
    """Columns of a terminal that the text takes; East Asian wide characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _cell(cell: Cell, longest: int = _LONGEST_CELL) -> str:
    badge = f"{cell.badge.shape} {cell.badge.label}" if cell.badge else ""
    text = "  " * cell.indent + " ".join(part for part in (badge, cell.text) if part)
    if cell.bar:
        text = f"{block_bar(sum(share for share, _ in cell.bar), _BAR)} {text}"
    return shorten(text, longest)


def table_lines(table: Table) -> list[str]:
    """A table in columns, a line for its heads and one for each row."""
    grid = [list(table.heads)]
    grid += [
        [*map(_cell, row[:-1]), *(_cell(last, _LONGEST_LAST_CELL) for last in row[-1:])]
        for row in table.rows
    ]
    widths = [max(map(_width, column)) for column in zip(*grid, strict=True)]
    lines = []
    for row in grid:
        cells = []
        for number, (text, width) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (width - _width(text))
            cells.append(gap + text if number in table.numeric else text + gap)
        lines.append("  " + "  ".join(cells))
    if table.rest:
        lines.append(f"  … {format_count(table.rest, 'more row')}")
    return lines


def _pattern(view: View) -> str:
    words = [_cell(cell) for cell in pattern_line(view)]
    return " → ".join(words).replace("[ → ", "[").replace(" → ]", "]")


def _code(view: View) -> list[str]:
    peak = peak_bytes(view.report)
    profiled = any(record.seconds is not None for record in view.report.lines)
    lines = ["  line  live bytes" + ("          run time" if profiled else "")]
    lines += [_code_line(line, peak, profiled=profiled) for line in excerpt(view)]
    return lines


def _code_line(line: CodeLine, peak: int, *, profiled: bool) -> str:
    margin = 18 + (10 if profiled else 0)
    if line.gap:
        return f"  {'⋮':>5} {'':{margin}} … {format_count(line.gap, 'more line')}"
    gutter = margin_text(line, peak, profiled=profiled)
    return f"  {line.number:>5} {gutter} {shorten(line.text, _LONGEST_CODE)}"


def margin_text(line: CodeLine, peak: int, *, profiled: bool) -> str:
    """What stands between line number and code: a bar of live bytes, their number, run time."""
    record = line.record
    live = record.live_bytes if record else 0
    most = most_bytes(record) if record else 0
    bar = block_bar(live / peak if peak else 0.0, 8).rstrip()
    # Shaded: what is alive only while the line runs.
    bar = bar.ljust(round(8 * most / peak) if peak else 0, "░").ljust(8)
    size = format_bytes(live) if live else ""
    mark = "▲" if record and record.is_peak else " "
    text = f"{bar}{size:>8} {mark}"
    if profiled:
        text += f"{format_seconds(record.seconds) if record else '':>9} "
    return text


def reloads_text(report: Report, note: str = "") -> list[str]:
    """The reload paths as lines, with ``note``, or ``note`` in their place."""
    reloads = report.reloads
    if not reloads:
        return [f"Warm reload: {inert(note) or 'not measured.'}"]
    lines = []
    for shipped, title in (
        (False, "Warm reload, on the machine that compiled"),
        (True, "Warm reload as shipped: no compiler, empty Inductor cache"),
    ):
        if any(record.shipped == shipped for record in reloads):
            lines += [title, *_reload_lines(reload_table(reloads, shipped=shipped)), ""]
    lines.append(f"{reload_note(report)} {medians_note(reloads)}")
    return [*lines, inert(note)] if note else lines


def _reload_lines(table: Table) -> list[str]:
    """Stages are too long for a column; they follow their row."""
    short = Table(table.heads[:-1], tuple(row[:-1] for row in table.rows), table.numeric)
    head, *rows = table_lines(short)
    lines = [head]
    for text, row in zip(rows, table.rows, strict=True):
        lines += [text, f"          {inert(row[-1].text)}"]
    return lines
