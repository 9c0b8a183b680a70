"""boxes, edges and their layout -> SVG text: one drawing for the static report and the explorer.

No ids, no markers, no <defs>: several outputs of one page would share them. In the explorer the
style sheet colours the classes; as an image the drawing brings its own colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..artifact.inert import inert
from .layout import Layout, Point
from .palette import STROKE
from .units import shorten

BOX = (176.0, 42.0)
# Characters that fit a box, by the average width of the two font sizes.
_TITLE_LENGTH, _SUBTITLE_LENGTH = 21, 26
_NOTE_WIDTH, _NOTE_HEIGHT = 5.8, 16

# Light cards: their text contrasts with the card, the card with white and #111 by its border.
_STANDALONE_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:11px;fill:#4a5160}"
    ".t{font-size:12.5px;font-weight:600;fill:#1b1f27}"
    f".b{{fill:#f3f5f8;stroke:{STROKE}}}"
    f"path{{fill:none;stroke:{STROKE};stroke-width:1.4}}"
    ".v{display:none}"
)


@dataclass(frozen=True)
class Box:
    """What a box says: ``note`` is written at its foot, on the edges that leave it."""

    title: str
    subtitle: str = ""
    kind: str = ""  # a class of the style sheet
    fill: str = ""  # the stripe at its left; from the class where empty
    note: str = ""


def draw_svg(
    boxes: Sequence[Box],
    edges: Sequence[tuple[int, int]],
    layout: Layout,
    *,
    label: str,
    standalone: bool = False,
) -> str:
    """The drawing as SVG text.

    Each box is a group with its index in ``data-i``; each edge a path with ``data-e="tail head"``.
    ``standalone`` adds the colours, for an image that no style sheet reaches.
    """
    notes = [
        x + BOX[0] / 2 + 12 + _NOTE_WIDTH * len(b.note)
        for b, (x, _) in zip(boxes, layout.boxes, strict=True)
    ]
    width = max([layout.width, *notes])
    height = layout.height + (0 if standalone else _NOTE_HEIGHT)
    size = f'width="{width:.0f}" height="{height:.0f}"'
    view_box = f'viewBox="0 0 {width:.0f} {height:.0f}"'
    role = "img" if standalone else "group"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view_box} role="{role}"']
    parts.append(f' aria-label="{escape(inert(label), quote=True)}">')
    if standalone:
        parts.append(f"<style>{_STANDALONE_STYLE}</style>")
    parts.append('<g class="edges">')
    for (tail, head), points in zip(edges, layout.edges, strict=True):
        parts.append(f'<path data-e="{tail} {head}" d="{_path(points)}"/>')
    parts.append("</g>")
    for index, (box, (x, y)) in enumerate(zip(boxes, layout.boxes, strict=True)):
        parts.append(_draw_box(index, box, x, y))
    parts.append("</svg>")
    return "".join(parts)


def _draw_box(index: int, box: Box, x: float, y: float) -> str:
    fill = f' fill="{box.fill}"' if box.fill else ""
    kind = f"n {box.kind}".strip()
    note = _text("v", BOX[0] / 2 + 6, BOX[1] + 14, box.note) if box.note else ""
    return (
        f'<g class="{kind}" data-i="{index}" transform="translate({x:.0f},{y:.0f})">'
        f'<rect class="b" width="{BOX[0]:.0f}" height="{BOX[1]:.0f}" rx="6"/>'
        f'<rect class="s" width="6" height="{BOX[1]:.0f}" rx="3"{fill}/>'
        f"{_text('t', 14, 18, shorten(box.title, _TITLE_LENGTH))}"
        f"{_text('u', 14, 34, shorten(box.subtitle, _SUBTITLE_LENGTH))}{note}</g>"
    )


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(inert(text))}</text>'


def _path(points: Sequence[Point]) -> str:
    """Cubic curves, closed by a chevron in place of an arrowhead that a fill would need."""
    start, *curve = (f"{x:.0f} {y:.0f}" for x, y in points)
    x, y = points[-1]
    chevron = f"M{x - 4:.0f} {y - 6:.0f}l4 6l4 -6"
    return f"M{start}C{' '.join(curve)}{chevron}"
