"""A `ForeignArtifact` -> the lines that a terminal shows; every text of it is made inert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..artifact.inert import inert, inert_lines
from ..artifact.units import format_bytes
from .dangers import RANKS
from .records import ForeignArtifact

_TIMES = "\u00d7"  # the multiplication sign
_SHOWN = 40
_SHOWN_CODE = 60
_SHOWN_LINE = 150
_SHOWN_CELL = 300


def render_text(artifact: ForeignArtifact) -> str:
    """What it is, what loading it would do, and what is in it; no newline at its end."""
    return "\n".join(_lines(artifact))


def _lines(artifact: ForeignArtifact) -> Iterator[str]:
    digest = f" · sha256:{artifact.sha256}" if artifact.sha256 else ""
    yield f"{inert(artifact.path)} · {format_bytes(artifact.size)}{digest}"
    version = f", {inert(artifact.version, limit=_SHOWN_CELL)}" if artifact.version else ""
    yield f"  {inert(artifact.format)}{version}"
    yield "  its texts are claims of whoever made it; nothing in it was imported or run"
    yield f"  {inert(artifact.loads_by)}"
    yield from _pairs("facts", artifact.facts)
    yield from _pairs("stamps", artifact.stamps)
    yield from _globals(artifact)
    rows = [(f"{v.kind} {v.name}", v.detail) for v in artifact.values]
    yield from _pairs("values", rows)
    yield from section("guards", artifact.guards)
    yield from _pairs("kernels", list(_kernel_rows(artifact)))
    rows = [
        (b.name, f"{b.kind}, {format_bytes(b.size)} {b.sha256[:16]}") for b in artifact.binaries
    ]
    yield from _pairs("binaries", rows)
    rows = [(t.name, f"{t.role}, {t.text.count(chr(10)) + 1} lines") for t in artifact.texts]
    yield from _pairs("texts", rows)
    yield from _pairs("not read", [(u.where, u.why) for u in artifact.unread])
    for text in artifact.texts[:2]:
        yield f"{inert(text.name)} ({text.role})"
        yield from _code_lines(text.text)


def _kernel_rows(artifact: ForeignArtifact) -> Iterator[tuple[str, str]]:
    """Name of every kernel, and language, length, digest and twins of it."""
    for kernel in artifact.kernels:
        twins = f", {kernel.twins} twins" if kernel.twins > 1 else ""
        count = kernel.text.count("\n") + 1
        yield kernel.name, f"{kernel.language}, {count} lines, {kernel.digest[:12]}{twins}"


def _code_lines(text: str) -> Iterator[str]:
    """The first lines of a text, numbered and inert."""
    split = inert_lines(text).split("\n")
    for number, line in enumerate(split[:_SHOWN_CODE], 1):
        cut = f"{line[:_SHOWN_LINE]}…" if len(line) > _SHOWN_LINE else line
        yield f"  {number:>5} {cut}".rstrip()
    if len(split) > _SHOWN_CODE:
        yield f"        and {len(split) - _SHOWN_CODE} more lines"


def _globals(artifact: ForeignArtifact) -> Iterator[str]:
    if not artifact.globals:
        return
    counts = [sum(g.rank == rank for g in artifact.globals) for rank in range(len(RANKS))]
    told = ", ".join(f"{n} {name}" for n, name in zip(counts, RANKS, strict=True) if n)
    yield f"loading would import {len(artifact.globals)} globals: {told}"
    for entry in artifact.globals[:_SHOWN]:
        computed = " (name computed while it loads)" if entry.is_computed else ""
        called = f", called {entry.calls}{_TIMES}" if entry.calls else ""
        name = inert(entry.name, limit=_SHOWN_CELL)
        yield f"  {entry.danger:<19} {name}{computed}: {entry.purpose}{called}"
    if len(artifact.globals) > _SHOWN:
        yield f"  and {len(artifact.globals) - _SHOWN} more"


def _pairs(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from section(title, [f"{name}: {text}" if text else name for name, text in rows])


def section(title: str, rows: Sequence[str]) -> Iterator[str]:
    """The first of some rows below their title, and how many more there are."""
    if rows:
        yield title
    yield from (f"  {inert(row, limit=_SHOWN_CELL)}" for row in rows[:_SHOWN])
    if len(rows) > _SHOWN:
        yield f"  and {len(rows) - _SHOWN} more"
