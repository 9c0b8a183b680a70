"""A `ForeignComparison` -> HTML: a fragment for a notebook, a page for a browser."""

from __future__ import annotations

import os

from ..artifact.units import format_bytes
from ..foreign.comparison import ForeignComparison
from .markup import html_details, html_text
from .sections import code_block, code_section, frame, section, write_document
from .units import shorten


def write_page(comparison: ForeignComparison, path: str | os.PathLike[str]) -> None:
    """Write the comparison as one offline page."""
    subject = f"{comparison.a.path} and {comparison.b.path}"
    write_document(path, subject, render_html(comparison))


def mime_bundle(comparison: ForeignComparison) -> dict[str, str]:
    """What a notebook shows of the comparison, and a terminal."""
    return {"text/plain": str(comparison), "text/html": render_html(comparison)}


def render_html(comparison: ForeignComparison) -> str:
    """The comparison as a fragment."""
    a, b = comparison.a, comparison.b
    parts = []
    for letter, one in (("a", a), ("b", b)):
        version = f", {one.version}" if one.version else ""
        line = f"{letter}: {one.path} · {one.format}{version} · {format_bytes(one.size)}"
        parts.append(f"<div><b>{html_text(shorten(line, 400))}</b></div>")
    if comparison.is_equal:
        return frame([*parts, f"<p>{html_text('They are the same bytes.')}</p>"])
    parts += _kernel_pairs(comparison)
    parts += section(
        "Values that differ",
        ("kind", "name", "a", "b"),
        [(v.kind, v.name, v.a or "not there", v.b or "not there") for v in comparison.values],
    )
    parts += section("Stamps that differ", ("stamp", "a", "b"), comparison.stamps)
    parts.append(_beside(comparison))
    return frame(parts)


def _kernel_pairs(comparison: ForeignComparison) -> list[str]:
    rows = [(a, b, "computes the same") for a, b in comparison.shared]
    near = comparison.near
    rows += [(pair.a, pair.b, f"{pair.share:.0%} alike") for pair in near]
    paired = {pair.a for pair in near}, {pair.b for pair in near}
    rows += [(name, "", "only in a") for name in comparison.only_a if name not in paired[0]]
    rows += [("", name, "only in b") for name in comparison.only_b if name not in paired[1]]
    parts = section("Kernels", ("a", "b", ""), rows, is_open=True)
    for pair in near[:10]:
        title = f"{shorten(pair.a, 100)} -> {shorten(pair.b, 100)}"
        parts.append(code_section(title, pair.diff, "text"))
    return parts


def _beside(comparison: ForeignComparison) -> str:
    sides = (
        (comparison.code_a, comparison.language_a),
        (comparison.code_b, comparison.language_b),
    )
    # Side by side where there is room for both, else one below the other.
    blocks = [
        f'<div style="flex:1 1 420px;min-width:0">{code_block(*side)}</div>' for side in sides
    ]
    row = f'<div style="display:flex;flex-wrap:wrap;gap:0 8px">{"".join(blocks)}</div>'
    return html_details("Code that calls the kernels, a and b", row, is_open=True)
