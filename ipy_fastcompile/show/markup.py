"""Text, tables and code -> the pieces of HTML that every sanitizer keeps.

An untrusted JupyterLab and GitHub strip <style>, <script>, inline <svg>, ids and `hidden`; what
they keep is <details>, tables, inline `style=` and images with data. So nothing else is used, and
the text inherits the host's colours. Every string is made inert and escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ..artifact.inert import inert_lines
from .palette import CODE_COLORS, CODE_GROUND, CODE_INK, Badge
from .tables import Cell, CodeLine, Table
from .tokens import CLASSES
from .units import format_count

FINE = "font-size:12px;line-height:1.5"
CELL = "padding:2px 12px 2px 0;text-align:{};vertical-align:top;border:0;background:none"
_MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_PRE = (
    f"margin:6px 0;padding:10px 12px;border-radius:6px;overflow:auto;max-height:26em;{_MONO};"
    f"font-size:12px;line-height:1.5;background:{CODE_GROUND};color:{CODE_INK};white-space:pre"
)
_BAR_WIDTH = 160


def html_text(text: str) -> str:
    """The text, inert and escaped, for an element or an attribute."""
    return escape(inert_lines(text), quote=True)


def html_frame(parts: Iterable[str], width: int) -> str:
    """All parts as one fragment, at most ``width`` pixels wide; long paths and digests wrap."""
    style = f"font-size:13px;line-height:1.5;max-width:{width}px;overflow-wrap:break-word"
    return f'<div style="{style}">{"".join(parts)}</div>'


def html_details(title: str, body: str, *, is_open: bool) -> str:
    """A part of the report that the reader opens and closes; ``body`` is HTML."""
    flag = " open" if is_open else ""
    style = "cursor:pointer;font-weight:600;padding:3px 0"
    head = f'<summary style="{style}">{html_text(title)}</summary>'
    body = f'<div style="overflow-x:auto">{body}</div>'
    return f'<details{flag} style="margin:6px 0">{head}{body}</details>'


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


def html_cell(cell: Cell) -> str:
    """Bar, badge and text of a cell."""
    parts = [_bar(cell.bar)] if cell.bar else []
    if cell.badge:
        parts.append(f"{_badge(cell.badge)} ")
    return "&nbsp;" * 6 * cell.indent + "".join(parts) + html_text(cell.text)


def html_table(table: Table, rest: str = "the explorer shows all") -> str:
    """A table; ``rest`` says where the rows are that were left out."""
    align = ["right" if n in table.numeric else "left" for n in range(len(table.heads))]
    heads = "".join(
        f'<th scope="col" style="{CELL.format(side)};font-weight:600;white-space:nowrap">'
        f"{html_text(head)}</th>"
        if head
        else "<td></td>"
        for head, side in zip(table.heads, align, strict=True)
    )
    # Only the last column, which explains, may wrap, and keeps a width at which that can be read.
    styles = [f"{CELL.format(side)};white-space:nowrap" for side in align[:-1]]
    styles.append(f"{CELL.format(align[-1])};min-width:24em")
    body = "".join(
        '<tr style="background:none">'
        + "".join(
            f'<td style="{style}">{html_cell(cell)}</td>'
            for cell, style in zip(row, styles, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    left_out = (
        f"<p>… {format_count(table.rest, 'more row')}; {html_text(rest)}.</p>" if table.rest else ""
    )
    head = f'<thead><tr style="background:none">{heads}</tr></thead>' if any(table.heads) else ""
    style = f"border-collapse:collapse;margin:2px 0;{FINE}"
    return f'<table style="{style}">{head}<tbody>{body}</tbody></table>{left_out}'


def html_code(lines: str) -> str:
    """Lines of code, HTML already, in a block that is scrolled by mouse or keys."""
    return f'<pre tabindex="0" style="{_PRE}">{lines}</pre>'


def html_margin(text: str) -> str:
    """What stands beside a line of code."""
    return f'<span style="color:{CODE_COLORS["comment"]}">{html_text(text)}</span>'


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
