"""Preview -> text or HTML: the ways to split side by side in one table, then each by itself."""

from __future__ import annotations

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..previews import Piece, PlannedKernel, Preview, Range, SplitPreview
from .markup import FINE, html_details, html_frame, html_table, html_text
from .palette import kernel_badge
from .tables import Cell, Table, cap_rows
from .text import table_lines
from .units import format_count, format_seconds

_WIDTH = 1_100
_MOST_KERNELS = 24


def mime_bundle(preview: Preview) -> dict[str, str]:
    """The preview by media type."""
    return {"text/plain": render_text(preview), "text/html": render_html(preview)}


def render_text(preview: Preview) -> str:
    """The preview for a terminal."""
    parts = [title(preview), *facts(preview), "", *table_lines(ways_table(preview))]
    for split in preview.splits:
        parts += ["", f"Split at {inert(split.label)}"]
        parts += [*table_lines(kernels_table(split)), "", *table_lines(pieces_table(split))]
    return "\n".join(line.rstrip() for line in parts) + "\n"


def render_html(preview: Preview) -> str:
    """The preview as a fragment; the pieces of a split are folded away where there are several."""
    alone = len(preview.splits) == 1
    notes = "<br>".join(map(html_text, facts(preview)))
    parts = [
        f'<div style="font-size:15px;font-weight:600">{html_text(title(preview))}</div>',
        f'<div style="{FINE};margin:4px 0">{notes}</div>',
        html_table(ways_table(preview)),
    ]
    for split in preview.splits:
        body = html_table(kernels_table(split)) + html_table(
            pieces_table(split), rest="preview.splits has all"
        )
        parts.append(html_details(f"Split at {split.label}", body, is_open=alone))
    return html_frame(parts, _WIDTH)


def title(preview: Preview) -> str:
    """What it is of, and that nothing was compiled."""
    count = format_count(preview.n_nodes, "node")
    took = format_seconds(preview.capture_seconds)
    return f"Preview of {inert(preview.model)}: {count}, captured in {took}, nothing compiled"


def facts(preview: Preview) -> list[str]:
    """The sizes that vary, and what the prices are worth."""
    lines = []
    if preview.symbols:
        ranges = [
            f"{s.min} ≤ {inert(s.name)}{'' if s.max is None else f' ≤ {s.max}'}"
            f" (example {s.example})"
            for s in preview.symbols
        ]
        lines.append(f"sizes: {', '.join(ranges)}")
    if preview.priced_from:
        count = format_count(preview.priced_from, "kernel")
        lines.append(
            f"cold times are priced from {count} compiled on this machine, each by itself or by "
            "those of about its size; what Inductor's own cache knows takes less"
        )
    else:
        lines.append(
            "cold times are not known: the cache has no kernel that was compiled on this machine"
        )
    return lines


def ways_table(preview: Preview) -> Table:
    """The ways to split, side by side."""
    heads = (
        "split at", "pieces", "inlined", "kernels", "twins", "near-twins", "most bytes across",
        "cold time",
    )  # fmt: skip
    rows = tuple(map(_way, preview.splits))
    return Table(heads, rows, frozenset(range(1, len(heads) - 1)))


def _way(split: SplitPreview) -> tuple[Cell, ...]:
    return (
        Cell(inert(split.label)),
        Cell(format_count(len(split.pieces))),
        Cell(format_count(sum(piece.kernel is None for piece in split.pieces))),
        Cell(format_count(len(split.kernels))),
        Cell(format_count(split.twins)),
        Cell(format_count(sum(kernel.near_twin is not None for kernel in split.kernels))),
        Cell(format_bytes(max((piece.crossing for piece in split.pieces), default=0))),
        Cell(_range(split.cold) or "not known"),
    )


def kernels_table(split: SplitPreview) -> Table:
    """The kernels of a way to split: who shares each, its cost, what keeps near-twins apart."""
    heads = ("kernel", "pieces", "nodes", "compiles in", "")
    rows = tuple(map(_kernel, split.kernels))
    return cap_rows(Table(heads, rows, frozenset({1, 2, 3})), _MOST_KERNELS)


def _kernel(kernel: PlannedKernel) -> tuple[Cell, ...]:
    notes = ["compiled here before"] if kernel.is_known else []
    if kernel.near_twin is not None:
        notes.append(f"near-twin: {inert(str(kernel.near_twin))}")
    return (
        Cell("", badge=kernel_badge(kernel.index)),
        Cell(format_count(len(kernel.pieces))),
        Cell(format_count(kernel.n_nodes)),
        Cell(_range(kernel.seconds)),
        Cell("; ".join(notes)),
    )


def pieces_table(split: SplitPreview) -> Table:
    """The pieces in call order, each with the boundary before it."""
    heads = ("pieces", "kernel", "nodes", "bytes across", "why it starts here")
    return cap_rows(Table(heads, tuple(map(_piece, split.pieces)), frozenset({2, 3})))


def _piece(piece: Piece) -> tuple[Cell, ...]:
    module = f" {inert(piece.module)}" if piece.module else ""
    return (
        Cell(f"{inert(piece.name)}{module}"),
        Cell("", badge=kernel_badge(piece.kernel)),
        Cell(format_count(piece.n_nodes)),
        Cell(format_bytes(piece.crossing)),
        Cell(inert(piece.reason)),
    )


def _range(seconds: Range | None) -> str:
    if seconds is None:
        return ""
    low, high = map(format_seconds, seconds)
    return low if low == high else f"{low} to {high}"
