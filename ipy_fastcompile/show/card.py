"""a title and rows of facts -> a card, the form in which small objects show themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..artifact.inert import inert
from .markup import FINE, html_code, html_details, html_frame, html_table, html_text
from .tables import Cell, Table, cap_rows
from .text import table_lines

_WIDTH = 1_100
_LONGEST = 2_000  # of a row


@dataclass(frozen=True)
class Card:
    """What an object shows of itself: a title, facts with their labels, a table, a last line.

    ``folded`` are titles and texts that a page folds away, and that a terminal leaves out.
    """

    title: str
    rows: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    hint: str = ""
    folded: Sequence[tuple[str, str]] = ()


def card_text(card: Card) -> str:
    """The card for a terminal."""
    width = max((len(label) for label, _ in card.rows), default=0)
    lines = [f"  {label:{width}}  {inert(text, limit=_LONGEST)}" for label, text in card.rows]
    table = table_lines(cap_rows(card.table)) if card.table else []
    hint = [card.hint] if card.hint else []
    return "\n".join(line.rstrip() for line in (inert(card.title), *lines, *table, *hint))


def card_html(card: Card, *more: str) -> str:
    """The card for a page; ``more`` is HTML behind it."""
    parts = [f'<div style="font-weight:600;margin:2px 0 4px">{html_text(card.title)}</div>']
    if card.rows:
        rows = tuple((Cell(label), Cell(inert(text, limit=_LONGEST))) for label, text in card.rows)
        parts.append(html_table(Table(("", ""), rows)))
    if card.table:
        parts.append(html_table(cap_rows(card.table), rest="printed, it has all"))
    for title, text in card.folded:
        parts.append(html_details(title, html_code(html_text(text)), is_open=False))
    if card.hint:
        parts.append(f'<div style="{FINE}">{html_text(card.hint)}</div>')
    return html_frame([*parts, *more], _WIDTH)


def card_bundle(card: Card) -> dict[str, str]:
    """The card by media type."""
    return {"text/plain": card_text(card), "text/html": card_html(card)}


def text_bundle(text: str) -> dict[str, str]:
    """A text that is a table by itself, by media type."""
    html = html_frame([html_code(html_text(text))], _WIDTH)
    return {"text/plain": str(text), "text/html": html}
