"""Two artifacts -> what differs: manifest, execution code, graphs, kernels, sizes."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from typing import Any

from ..frozen import frozen
from ..views import view_of
from .inert import inert, inert_lines
from .inspect import REPORT, ArtifactInfo, inspect
from .kinds import KINDS, TEXT
from .limits import MAX_MANIFEST_DEPTH
from .paired import paired_programs, program_labels, shared_name
from .summary import plain
from .units import format_bytes

# Written anew with every save, and the members have parts of their own.
_NEVER_EQUAL = ("created", "members")
_SHOWN_LINES = 200
_MAX_DIFFED_CHARACTERS = 2_000_000


@frozen
class ManifestChange:
    """A place in the manifest that differs; None where one of the two has nothing there."""

    path: str  # "stamp.torch", "kernels[3].digest"
    a: Any
    b: Any


@frozen
class TextChange:
    """A text member that differs. ``diff`` is unified; empty where only one of the two has it."""

    name: str
    in_a: bool
    in_b: bool
    diff: str


@frozen
class ArtifactComparison:
    """Two artifacts side by side; `str` gives it as text for a terminal.

    ``kernels_a`` and ``kernels_b`` are the digests of the kernels that only one of them has, in
    any program; ``programs_a`` and ``programs_b`` the programs. Programs are matched by name, and
    a single one with the first. ``sizes`` gives bytes by kind, first of ``a``, then of ``b``.
    """

    a: ArtifactInfo
    b: ArtifactInfo
    manifest: tuple[ManifestChange, ...]
    texts: tuple[TextChange, ...]
    kernels_a: tuple[str, ...]
    kernels_b: tuple[str, ...]
    kernels_shared: int
    sizes: tuple[tuple[str, int, int], ...]
    programs_a: tuple[str, ...] = ()
    programs_b: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether they differ in nothing but when they were saved and what their reports say."""
        members = [
            {name: entry for name, entry in info.common.members.items() if name != REPORT}
            for info in (self.a, self.b)
        ]
        others = self.manifest or self.programs_a or self.programs_b
        return not others and members[0] == members[1]

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        return f"<{inert(self.a.path)} beside {inert(self.b.path)}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("ArtifactComparison._repr_mimebundle_")(self)
        return bundle


def compare(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> ArtifactComparison:
    """Compare two artifact files, trusted or not, without loading either.

    Raises what `inspect` raises, for either file.
    """
    first, second = inspect(a), inspect(b)
    programs = list(paired_programs(first, second))
    left_out = (*_NEVER_EQUAL, "programs") if programs else _NEVER_EQUAL
    manifests = [
        {key: value for key, value in info.manifest.items() if key not in left_out}
        for info in (first, second)
    ]
    digests = [{kernel.digest: None for kernel in info.outline.kernels} for info in (first, second)]
    changes = [*_changes("", manifests[0], manifests[1], 0)]
    for label, x, y in programs:
        if x is not None and y is not None:
            changes += _changes(f"programs[{label}]", x, y, 2)
    return ArtifactComparison(
        a=first,
        b=second,
        manifest=tuple(changes),
        texts=tuple(_text_changes(first, second)),
        kernels_a=tuple(digest for digest in digests[0] if digest not in digests[1]),
        kernels_b=tuple(digest for digest in digests[1] if digest not in digests[0]),
        kernels_shared=sum(digest in digests[1] for digest in digests[0]),
        sizes=tuple((kind, first.sizes[kind], second.sizes[kind]) for kind in KINDS),
        programs_a=tuple(label for label, _, y in programs if y is None),
        programs_b=tuple(label for label, x, _ in programs if x is None),
    )


def _changes(path: str, a: Any, b: Any, depth: int) -> Iterator[ManifestChange]:
    if a == b and type(a) is type(b):
        return
    if depth < MAX_MANIFEST_DEPTH and isinstance(a, dict) and isinstance(b, dict):
        for key in {**a, **b}:
            yield from _changes(f"{path}.{key}" if path else key, a.get(key), b.get(key), depth + 1)
    elif depth < MAX_MANIFEST_DEPTH and isinstance(a, list) and isinstance(b, list):
        for at in range(max(len(a), len(b))):
            yield from _changes(
                f"{path}[{at}]",
                a[at] if at < len(a) else None,
                b[at] if at < len(b) else None,
                depth + 1,
            )
    else:
        yield ManifestChange(path, a, b)


def _text_changes(a: ArtifactInfo, b: ArtifactInfo) -> Iterator[TextChange]:
    texts: list[dict[str, str]] = []
    for info, labels in zip((a, b), program_labels(a, b), strict=True):
        names = [name for name, kind in info.kinds.items() if kind == TEXT]
        texts.append({shared_name(name, labels): name for name in names})
    for name in {**texts[0], **texts[1]}:
        if name not in texts[0] or name not in texts[1]:
            yield TextChange(name, name in texts[0], name in texts[1], "")
            continue
        x, y = texts[0][name], texts[1][name]
        if a.common.members[x] != b.common.members[y]:
            yield TextChange(name, True, True, _diff(a.text(x), b.text(y)))


def _diff(a: str, b: str) -> str:
    if len(a) + len(b) > _MAX_DIFFED_CHARACTERS:
        return f"too long to compare line by line: {len(a)} and {len(b)} characters"
    return "\n".join(
        difflib.unified_diff(a.splitlines(), b.splitlines(), "a", "b", n=2, lineterm="")
    )


def _lines(comparison: ArtifactComparison) -> Iterator[str]:
    a, b = comparison.a, comparison.b
    yield f"a  {inert(a.path)}  {a.digest}"
    yield f"b  {inert(b.path)}  {b.digest}"
    for letter, info in (("a", a), ("b", b)):
        if not info.trust.is_trusted:
            yield f"{letter} is not trusted ({plain(info.trust.why)}): its texts are claims"
    if comparison.is_equal:
        yield "They are equal but for when they were saved and what their reports say."
        return
    yield from _section(
        "programs",
        [
            *(f"only in a: {plain(name)}" for name in comparison.programs_a),
            *(f"only in b: {plain(name)}" for name in comparison.programs_b),
        ],
    )
    yield from _section(
        "manifest",
        [f"{inert(c.path, limit=200)}: {_said(c.a)} -> {_said(c.b)}" for c in comparison.manifest],
    )
    yield from _section(
        "kernels",
        [
            f"{comparison.kernels_shared} shared",
            *(f"only in a: {plain(digest)}" for digest in comparison.kernels_a),
            *(f"only in b: {plain(digest)}" for digest in comparison.kernels_b),
        ],
    )
    yield from _section(
        "sizes",
        [
            f"{kind}: {format_bytes(x)} -> {format_bytes(y)} ({y - x:+} bytes)"
            for kind, x, y in comparison.sizes
            if x != y
        ],
    )
    for text in comparison.texts:
        if not (text.in_a and text.in_b):
            yield f"{plain(text.name)}: only in {'a' if text.in_a else 'b'}"
        else:
            yield from _section(plain(text.name), inert_lines(text.diff).splitlines())


def _said(value: Any) -> str:
    return "(nothing)" if value is None else plain(value)


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield title
    yield from (f"  {line}" for line in lines[:_SHOWN_LINES])
    if len(lines) > _SHOWN_LINES:
        yield f"  and {len(lines) - _SHOWN_LINES} more lines"
