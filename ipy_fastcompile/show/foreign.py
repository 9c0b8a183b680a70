"""A `ForeignArtifact` -> HTML: a fragment for a notebook, a page for a browser.

Like the report: nothing but details, tables and inline styles, and no script, not even in the page.
Every string of the file is inert and escaped.
"""

from __future__ import annotations

import os

from ..artifact.units import format_bytes
from ..foreign.records import ForeignArtifact, ForeignText
from .markup import FINE, html_text
from .palette import Badge, kernel_badge
from .sections import code_section, frame, section, table_section, text_cell, write_document
from .tables import Cell, Table
from .units import TIMES, format_count, shorten

_CLAIM = "Its texts are claims of whoever made it. Nothing in it was imported or run."
_SHOWN_TEXTS = 40
_SHOWN_KERNELS = 40
_BODY = 4_000_000  # characters of a page; texts past it are named, not shown
# As text on any ground: by the label, never by colour alone.
_DANGER_FILLS = ("#a3242b", "#b2541a", "#86661a", "#6b7078", "#2a6fbb", "#3d7d2c")
_DANGER_SHAPES = "▲▲◆○■●"


def write_page(artifact: ForeignArtifact, path: str | os.PathLike[str]) -> None:
    """Write the record as one offline page."""
    write_document(path, artifact.path, render_html(artifact))


def mime_bundle(artifact: ForeignArtifact) -> dict[str, str]:
    """What a notebook shows of the record, and a terminal."""
    return {"text/plain": str(artifact), "text/html": render_html(artifact)}


def render_html(artifact: ForeignArtifact) -> str:
    """The record as a fragment."""
    parts = [_heading(artifact)]
    parts += section("What it says of itself", ("", ""), artifact.facts, is_open=True)
    parts += section("What it was made on, or needs", ("", ""), artifact.stamps, is_open=True)
    parts += _globals(artifact)
    parts += section(
        "Values", ("kind", "name", ""), [(v.kind, v.name, v.detail) for v in artifact.values]
    )
    parts += _kernels(artifact)
    parts += section("Guards", ("condition",), [(guard,) for guard in artifact.guards])
    parts += section(
        "Binaries",
        ("name", "kind", "size", "sha256"),
        [(b.name, b.kind, format_bytes(b.size), b.sha256[:16]) for b in artifact.binaries],
    )
    parts += section(
        "Not read", ("where", "why"), [(u.where, u.why) for u in artifact.unread], is_open=True
    )
    parts += _texts(artifact)
    return frame(parts)


def _heading(artifact: ForeignArtifact) -> str:
    version = f", {artifact.version}" if artifact.version else ""
    lines = [
        f"{artifact.path} · {format_bytes(artifact.size)}",
        f"sha256:{artifact.sha256}" if artifact.sha256 else "",
        _CLAIM,
        artifact.loads_by,
    ]
    shown = "<br>".join(html_text(shorten(line, 400)) for line in lines if line)
    title = html_text(shorten(f"{artifact.format}{version}", 200))
    return (
        f'<div style="font-size:17px;font-weight:600;margin:2px 0 4px">{title}</div>'
        f'<div style="{FINE};margin:4px 0">{shown}</div>'
    )


def _globals(artifact: ForeignArtifact) -> list[str]:
    if not artifact.globals:
        return [f"<p>{html_text('Loading it imports no global by name.')}</p>"]
    rows = []
    for entry in artifact.globals:
        fill, shape = _DANGER_FILLS[entry.rank], _DANGER_SHAPES[entry.rank]
        computed = ", its name computed while it loads" if entry.is_computed else ""
        rows.append(
            (
                Cell("", badge=Badge(entry.danger, shape, fill, -1)),
                text_cell(entry.name),
                Cell(f"{entry.calls}{TIMES}" if entry.calls else ""),
                Cell(f"{entry.purpose}{computed}"),
            )
        )
    table = Table(("", "global", "called", "what it is for"), tuple(rows))
    title = f"Loading it would import {format_count(len(rows), 'global')}, worst first"
    return [table_section(title, table, is_open=True)]


def _kernels(artifact: ForeignArtifact) -> list[str]:
    """Twins have one badge: kernels of equal sources."""
    numbers = {d: n for n, d in enumerate(dict.fromkeys(k.digest for k in artifact.kernels))}
    rows = []
    for kernel in artifact.kernels:
        cells = (
            Cell("", badge=kernel_badge(numbers[kernel.digest])),
            text_cell(kernel.name),
            Cell(kernel.language),
            Cell(format_count(kernel.text.count("\n") + 1)),
            Cell(format_count(kernel.twins) if kernel.twins > 1 else ""),
            text_cell(kernel.where),
        )
        rows.append(cells)
    if not rows:
        return []
    heads = ("kernel", "name", "language", "lines", "twins", "in")
    table = Table(heads, tuple(rows), frozenset({3, 4}))
    distinct = f", {len(numbers)} of them distinct" if len(numbers) < len(rows) else ""
    title = f"Kernels, {len(rows)}{distinct}"
    parts = [table_section(title, table, is_open=True)]
    seen: set[str] = set()
    for kernel in artifact.kernels:
        if kernel.digest not in seen and len(seen) < _SHOWN_KERNELS:
            seen.add(kernel.digest)
            label = f"K{numbers[kernel.digest]} {shorten(kernel.name, 120)}"
            parts.append(code_section(label, kernel.text, kernel.language))
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
    return code_section(title, text.text, text.language, is_open=is_open)
