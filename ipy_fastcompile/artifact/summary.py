"""What was read in an artifact -> the lines of its summary; every text of the file made inert."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from .inert import inert
from .kinds import TEXT
from .outline import KernelSummary, Outline, ProgramSummary
from .pickles import PickleListing
from .schema import Common
from .trust import Verdict
from .units import format_bytes

_CLAIM = "its texts are claims: what would run are its binaries"
_SHOWN = 40
_SHOWN_NAMES = 12


class Readable(Protocol):
    """What a summary is made of; `inspect.ArtifactInfo` has it."""

    path: str
    size: int
    digest: str
    names: tuple[str, ...]
    trust: Verdict
    common: Common

    @property
    def outline(self) -> Outline:
        """What the manifest says."""

    @property
    def edited(self) -> Mapping[str, str]:
        """Generated text -> what its generator never writes."""

    @property
    def kinds(self) -> Mapping[str, str]:
        """Member -> kind."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Kind -> bytes."""

    @property
    def pickles(self) -> Mapping[str, PickleListing]:
        """Opaque member -> what unpickling it would import."""


def summary_lines(info: Readable) -> list[str]:
    """What a terminal shows of an artifact, one fact a line."""
    title, rows = summary_rows(info)
    return [title, *(f"  {head:<11} {text}" for head, text in rows)]


def summary_rows(info: Readable) -> tuple[str, list[tuple[str, str]]]:
    """A title, and what is told of an artifact; a label is empty where the one before goes on."""
    trusted = "yes" if info.trust.is_trusted else "no"
    outline = info.outline
    native = sum(kernel.native for kernel in outline.kernels)
    through_torch = len(outline.kernels) - native
    several = len(outline.programs) > 1
    conditions = [
        f"{plain(p.name)}: {plain(words)}" if several else plain(words)
        for p in outline.programs
        for words in p.conditions
    ]
    saved = " · ".join(map(plain, (info.common.created, info.common.package, info.common.format)))
    rows = [
        ("model", plain(outline.model) or "(not named)"),
        ("saved", saved),
        ("digest", info.digest),
        ("trusted", f"{trusted}: {plain(info.trust.why)}"),
        *([] if info.trust.is_trusted else [("", _CLAIM)]),
        *_refusal(outline.problems),
        ("parameters", _number(outline.parameters)),
        ("submodules", _number(outline.submodules)),
        *(_titled("programs", list(map(_program_line, outline.programs))) if several else ()),
        *(_titled("conditions", conditions) if conditions else ()),
        ("kernels", f"{len(outline.kernels)}: {native} native, {through_torch} through torch"),
        *(
            ("", line)
            for line in _cut([_kernel_line(kernel, several=several) for kernel in outline.kernels])
        ),
        *_titled(
            "stamp", [f"{plain(name)}: {_stamped(value)}" for name, value in outline.stamp.items()]
        ),
        *_titled("sizes", [f"{format_bytes(n)} {kind}" for kind, n in info.sizes.items() if n]),
        ("texts", _some([name for name, kind in info.kinds.items() if kind == TEXT])),
    ]
    rows += [("edited", line) for line in _cut(list(map(plain, info.edited.values())))]
    rows += [("unpickling", line) for line in _pickle_lines(info)]
    title = f"{inert(info.path)} · {format_bytes(info.size)} · {len(info.names)} members"
    return title, rows


def plain(value: Any) -> str:
    """A value from a manifest, on one line, inert and not too long."""
    return inert(value if isinstance(value, str) else str(value), limit=300)


def _pickle_lines(info: Readable) -> Iterator[str]:
    """What loading the opaque members would import, those that import the same in one line."""
    alike: dict[tuple[str, PickleListing], list[str]] = {}
    for name, listing in info.pickles.items():
        alike.setdefault((info.kinds[name], listing), []).append(name)
    for (kind, listing), names in alike.items():
        note = f" ({inert(listing.note)})" if listing.note else ""
        which = _short(names[0]) if len(names) == 1 else f"{len(names)} members"
        yield f"{kind}, {which}: imports {_some(listing.names, _SHOWN_NAMES)}{note}"


def _refusal(problems: tuple[str, ...]) -> list[tuple[str, str]]:
    """Why a load would refuse the manifest: the first reason, and how many more there are."""
    if not problems:
        return []
    more = f", and {len(problems) - 1} more" if problems[1:] else ""
    return [("manifest", f"no load takes it: {problems[0]}{more}")]


def _stamped(value: Any) -> str:
    return plain(" ".join(map(str, value)) if isinstance(value, list) else value)


def _number(count: int | None) -> str:
    return "not recorded" if count is None else str(count)


def _program_line(program: ProgramSummary) -> str:
    return f"{plain(program.name)}: {plain(program.inputs)}"


def _kernel_line(kernel: KernelSummary, *, several: bool) -> str:
    how = "native" if kernel.native else f"torch: {plain(kernel.why) or 'no reason recorded'}"
    noun = "submodule" if kernel.submodules == 1 else "submodules"
    shared = f"{kernel.submodules} {noun}, " if kernel.submodules else ""
    where = f", in {_some(kernel.programs, _SHOWN_NAMES)}" if several else ""
    return f"{kernel.index:>3} {plain(kernel.digest[:12]):<12} {shared}{how}{where}"


def _titled(title: str, lines: list[str]) -> list[tuple[str, str]]:
    return [("" if at else title, line) for at, line in enumerate(_cut(lines) or ["none"])]


def _cut(lines: list[str]) -> list[str]:
    rest = len(lines) - _SHOWN
    return lines if rest <= 0 else [*lines[:_SHOWN], f"and {rest} more"]


def _some(names: Collection[str], most: int = _SHOWN) -> str:
    shown = [inert(name, limit=120) for name in islice(names, most)]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "") if shown else "nothing"


def _short(name: str) -> str:
    return name[:18] + "…" if name.startswith("blobs/") else name
