"""Two artifacts of any kinds -> kernels matched by what they compute, code beside code.

Two of our own are compared by `artifact.compare`, which knows more of them.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..artifact.compare import ArtifactComparison, compare as compare_own
from ..artifact.inert import inert, inert_lines
from ..artifact.inspect import ArtifactInfo
from ..artifact.units import format_bytes
from .inspect import inspect
from .ours import as_foreign
from .records import EXECUTION, OUTPUT, ForeignArtifact, ForeignKernel, to_data

_SHOWN = 40
_SHOWN_CODE = 80
_COLUMN = 74
_MOST_NEAR = 30  # kernels of each side that are compared line by line
_MOST_NEAR_LINES = 1_000
_ALIKE = 0.5
# Where the code that calls kernels begins, by its language; what is before it is preparation.
_STARTS = {
    "cpp": re.compile(r"^void AOTInductorModel::run_impl\(", re.MULTILINE),
    "python": re.compile(r"^(?:    )?def (?:call|forward)\(", re.MULTILINE),
}
# And the first line behind it.
_ENDS = {
    "cpp": re.compile(r"^\} // AOTInductorModel::run_impl", re.MULTILINE),
    "python": re.compile(r"^\S", re.MULTILINE),
}


@dataclass(frozen=True)
class Near:
    """Two kernels that are alike, not equal: ``share`` of their lines, and what differs."""

    a: str
    b: str
    share: float
    diff: str


@dataclass(frozen=True)
class ValueChange:
    """A value of which the two say different things; empty where one says nothing."""

    kind: str
    name: str
    a: str
    b: str


@dataclass(frozen=True)
class ForeignComparison:
    """Two artifacts side by side; `str` gives it as text.

    ``shared`` pairs the names of kernels that compute the same; ``code_a`` and ``code_b`` are the
    execution code of each: what calls its kernels.
    """

    a: ForeignArtifact
    b: ForeignArtifact
    shared: tuple[tuple[str, str], ...]
    near: tuple[Near, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    values: tuple[ValueChange, ...]
    code_a: str
    code_b: str
    language_a: str
    language_b: str

    @property
    def is_equal(self) -> bool:
        """Whether both are the same bytes."""
        return bool(self.a.sha256) and self.a.sha256 == self.b.sha256

    def to_json(self) -> str:
        """The comparison as JSON text; the artifacts in it by path, format and digest."""
        data = to_data(self)
        for side in ("a", "b"):
            kept = ("path", "format", "version", "size", "sha256")
            data[side] = {name: data[side][name] for name in kept}
        return json.dumps(data, ensure_ascii=True)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the comparison as one HTML file that needs no network and has no script."""
        from ..show.foreign import comparison_page

        Path(path).write_text(comparison_page(self), encoding="utf-8")

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from ..show.foreign import comparison_html

        return {"text/plain": str(self), "text/html": comparison_html(self)}


def compare(
    a: str | os.PathLike[str] | bytes, b: str | os.PathLike[str] | bytes
) -> ArtifactComparison | ForeignComparison:
    """Compare two artifacts of any kinds without loading either.

    Raises what `inspect` raises, for either.
    """
    first, second = inspect(a), inspect(b)
    if isinstance(first, ArtifactInfo) and isinstance(second, ArtifactInfo):
        if not isinstance(a, bytes) and not isinstance(b, bytes):
            return compare_own(a, b)
    return compare_records(as_foreign(first), as_foreign(second))


def compare_records(a: ForeignArtifact, b: ForeignArtifact) -> ForeignComparison:
    """Compare two records."""
    of_a, of_b = _by_digest(a), _by_digest(b)
    shared = tuple((of_a[digest].name, of_b[digest].name) for digest in of_a if digest in of_b)
    left = [kernel for digest, kernel in of_a.items() if digest not in of_b]
    right = [kernel for digest, kernel in of_b.items() if digest not in of_a]
    near = tuple(_near(left, right))
    code_a, language_a = main_code(a)
    code_b, language_b = main_code(b)
    return ForeignComparison(
        a=a,
        b=b,
        shared=shared,
        near=near,
        only_a=tuple(kernel.name for kernel in left),
        only_b=tuple(kernel.name for kernel in right),
        values=tuple(_value_changes(a, b)),
        code_a=code_a,
        code_b=code_b,
        language_a=language_a,
        language_b=language_b,
    )


def _by_digest(artifact: ForeignArtifact) -> dict[str, ForeignKernel]:
    return {kernel.digest: kernel for kernel in reversed(artifact.kernels)}


def main_code(artifact: ForeignArtifact) -> tuple[str, str]:
    """(text, language) of what calls the kernels: execution code, wrapper code or output code."""
    best = [t for t in artifact.texts if t.role == EXECUTION and t.language != "text"]
    best += [t for t in artifact.texts if t.role == OUTPUT]
    best += [t for t in artifact.texts if t.role == "graph"]
    if not best:
        return "", "text"
    text = best[0]
    start = _STARTS[text.language].search(text.text) if text.language in _STARTS else None
    if start is None:
        return text.text, text.language
    end = _ENDS[text.language].search(text.text, start.end())
    stop = end.end() if end and text.language == "cpp" else end.start() if end else None
    return text.text[start.start() : stop].rstrip() + "\n", text.language


def _near(left: list[ForeignKernel], right: list[ForeignKernel]) -> Iterator[Near]:
    free = {kernel.digest: kernel for kernel in right[:_MOST_NEAR]}
    for kernel in left[:_MOST_NEAR]:
        lines = _code(kernel)
        best, share = None, _ALIKE
        for other in free.values():
            if other.language != kernel.language:
                continue
            matcher = difflib.SequenceMatcher(None, lines, _code(other), autojunk=False)
            if matcher.real_quick_ratio() > share and matcher.quick_ratio() > share:
                ratio = matcher.ratio()
                best, share = (other, ratio) if ratio > share else (best, share)
        if best is not None:
            del free[best.digest]
            diff = difflib.unified_diff(lines, _code(best), "a", "b", n=1, lineterm="")
            yield Near(kernel.name, best.name, share, "\n".join(diff))


def _code(kernel: ForeignKernel) -> list[str]:
    """The lines of a kernel that say something."""
    split = [line.strip() for line in kernel.text.splitlines()[:_MOST_NEAR_LINES]]
    return [line[:500] for line in split if line and not line.startswith(("//", "#include"))]


def _value_changes(a: ForeignArtifact, b: ForeignArtifact) -> Iterator[ValueChange]:
    of_a = {(value.kind, value.name): value.detail for value in a.values}
    of_b = {(value.kind, value.name): value.detail for value in b.values}
    for kind, name in {**of_a, **of_b}:
        key = (kind, name)
        said_a = (of_a[key] or "there") if key in of_a else ""
        said_b = (of_b[key] or "there") if key in of_b else ""
        if said_a != said_b:
            yield ValueChange(kind, name, said_a, said_b)


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
    yield from _section(f"kernels: {counts}", rows)
    for near in found.near[:5]:
        yield from _section(f"{inert(near.a)} -> {inert(near.b)}", near.diff.splitlines())
    yield from _section(
        "values",
        [f"{v.kind} {v.name}: {v.a or 'not there'} -> {v.b or 'not there'}" for v in found.values],
    )
    stamps = dict(found.a.stamps), dict(found.b.stamps)
    both = {**stamps[0], **stamps[1]}
    yield from _section(
        "stamps",
        [
            f"{name}: {stamps[0].get(name, 'not said')} -> {stamps[1].get(name, 'not said')}"
            for name in both
            if stamps[0].get(name) != stamps[1].get(name)
        ],
    )
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


def _section(title: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield title
    yield from (f"  {inert(row, limit=300)}" for row in rows[:_SHOWN])
    if len(rows) > _SHOWN:
        yield f"  and {len(rows) - _SHOWN} more"
