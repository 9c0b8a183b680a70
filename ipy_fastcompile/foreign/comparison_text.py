"""A `ForeignComparison` -> the lines that a terminal shows; every text of it is made inert."""

from __future__ import annotations

from collections.abc import Iterator

from ..artifact.inert import inert, inert_lines
from ..artifact.units import format_bytes
from .comparison import ForeignComparison
from .text import section

_SHOWN_CODE = 80
_COLUMN = 74


def render_text(found: ForeignComparison) -> str:
    """The comparison as text, without a newline at its end."""
    return "\n".join(_lines(found))


def _lines(found: ForeignComparison) -> Iterator[str]:
    for letter, one in (("a", found.a), ("b", found.b)):
        version = f", {inert(one.version, limit=100)}" if one.version else ""
        size = format_bytes(one.size)
        yield f"{letter}  {inert(one.path)}: {inert(one.format, limit=200)}{version}, {size}"
    if found.is_equal:
        yield "They are the same bytes."
        return
    near_a, near_b = {near.a for near in found.near}, {near.b for near in found.near}
    rows = [f"computes the same: {a} and {b}" for a, b in found.shared]
    rows += [f"{near.share:.0%} alike: {near.a} and {near.b}" for near in found.near]
    rows += [f"only in a: {name}" for name in found.only_a if name not in near_a]
    rows += [f"only in b: {name}" for name in found.only_b if name not in near_b]
    counts = f"{len(found.a.kernels)} in a, {len(found.b.kernels)} in b"
    yield from section(f"kernels: {counts}", rows)
    for near in found.near[:5]:
        yield from section(f"{inert(near.a)} -> {inert(near.b)}", near.diff.splitlines())
    yield from section(
        "values",
        [f"{v.kind} {v.name}: {v.a or 'not there'} -> {v.b or 'not there'}" for v in found.values],
    )
    changes = [f"{name}: {one} -> {other}" for name, one, other in found.stamps]
    yield from section("stamps", changes)
    yield "code that calls the kernels, a | b"
    yield from beside(found.code_a, found.code_b)


def beside(a: str, b: str, most: int = _SHOWN_CODE) -> Iterator[str]:
    """Two texts in two columns, their first lines."""
    left, right = inert_lines(a).split("\n"), inert_lines(b).split("\n")
    for number in range(min(max(len(left), len(right)), most)):
        one = _fit(left[number] if number < len(left) else "")
        other = _fit(right[number] if number < len(right) else "").rstrip()
        yield f"  {one} | {other}".rstrip()
    rest = max(len(left), len(right)) - most
    if rest > 0:
        yield f"  and {rest} more lines"


def _fit(line: str) -> str:
    line = line.replace("\t", "    ")
    return f"{line[: _COLUMN - 1]}…" if len(line) > _COLUMN else line.ljust(_COLUMN)
