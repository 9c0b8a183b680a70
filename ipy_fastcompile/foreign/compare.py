"""Two artifacts of any kinds -> kernels matched by what they compute, code beside code.

Two of our own are compared by `artifact.compare`, which knows more of them.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator

from ..artifact.compare import ArtifactComparison, compare as compare_own
from ..artifact.inspect import ArtifactInfo
from .comparison import ForeignComparison, Near, ValueChange
from .inspect import inspect
from .main_code import main_code
from .ours import as_foreign
from .records import ForeignArtifact, ForeignKernel

_MOST_NEAR = 30  # kernels of each side that are compared line by line
_MOST_NEAR_LINES = 1_000
# Pairs of equal lines: of two kernels, and of all that are compared; a kernel that repeats one line
# a thousand times would take seconds with each.
_MOST_COST = 20_000
_MOST_WORK = 1_000_000
_ALIKE = 0.5


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


def _near(left: list[ForeignKernel], right: list[ForeignKernel]) -> Iterator[Near]:
    free = {kernel.digest: (kernel, _code(kernel)) for kernel in right[:_MOST_NEAR]}
    work = 0
    for kernel in left[:_MOST_NEAR]:
        lines = _code(kernel)
        best, share = None, _ALIKE
        for other, other_lines in free.values():
            if other.language != kernel.language:
                continue
            matcher = difflib.SequenceMatcher(None, lines, other_lines, autojunk=False)
            if matcher.real_quick_ratio() > share and matcher.quick_ratio() > share:
                cost = _cost(lines, other_lines)
                if cost > _MOST_COST or work + cost > _MOST_WORK:
                    continue
                work += cost
                ratio = matcher.ratio()
                best, share = (other, ratio) if ratio > share else (best, share)
        if best is not None:
            _, other_lines = free.pop(best.digest)
            diff = difflib.unified_diff(lines, other_lines, "a", "b", n=1, lineterm="")
            yield Near(kernel.name, best.name, share, "\n".join(diff))


def _cost(a: list[str], b: list[str]) -> int:
    """How many pairs of equal lines there are, which is what a comparison takes, at least."""
    of_b = Counter(b)
    return sum(count * of_b[line] for line, count in Counter(a).items())


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
