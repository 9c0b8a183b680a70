"""A manifest -> what a summary says of it, whatever shape it has.

`schema/read.py` reads the same manifest to run it and refuses what does not fit; a summary
must also show what would be refused, so here everything that is not there is just left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .kinds import CODE, CONSTANTS, FX_GRAPH, NATIVE, TORCH


@dataclass(frozen=True)
class KernelSummary:
    """What the manifest says of one kernel; ``why`` is empty where it runs natively."""

    index: int
    digest: str
    native: bool
    why: str
    submodules: int  # that call it, 0 where the manifest does not say


@dataclass(frozen=True)
class Outline:
    """The parts of a manifest that a summary shows; None or empty where it does not say.

    ``roles`` gives the kind of a binary member by what the manifest uses it for.
    """

    model: str
    parameters: int | None
    submodules: int | None
    conditions: tuple[str, ...]  # on sizes, in words
    kernels: tuple[KernelSummary, ...]
    stamp: Mapping[str, Any]
    roles: Mapping[str, str]


def read_outline(manifest: Mapping[str, Any]) -> Outline:
    """The outline of any manifest."""
    model = manifest.get("model")
    about = model if isinstance(model, dict) else {"name": model}
    program = _mapping(manifest.get("program"))
    stitched = [str(entry).rpartition(" ")[2] for entry in _list(program.get("stitched"))]
    callers = Counter(stitched)
    return Outline(
        model=_text(about.get("name")),
        parameters=_count(about.get("parameters")),
        submodules=_count(about.get("submodules")),
        conditions=tuple(map(_text, _list(program.get("conditions")))),
        kernels=tuple(
            KernelSummary(
                index=index,
                digest=_text(entry.get("digest")),
                native=entry.get("native") is True,
                why=_text(entry.get("why")),
                submodules=callers[str(index)],
            )
            for index, entry in enumerate(map(_mapping, _list(program.get("kernels"))))
        ),
        stamp=_mapping(manifest.get("stamp")),
        roles=dict(_roles(program)),
    )


def _roles(program: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, role in (("fx", FX_GRAPH), ("code", CODE), ("stored", CONSTANTS)):
        yield _text(program.get(field)), role
    entries = [_mapping(entry) for entry in _list(program.get("kernels"))]
    variants = [_mapping(inner) for entry in entries for inner in _list(entry.get("sizes"))]
    for entry in (*entries, *variants):
        yield _text(entry.get("torch")), TORCH
        for library in _list(entry.get("libraries")):
            yield _text(library[-1] if isinstance(library, list) and library else ""), NATIVE
        for launch in _list(entry.get("launches")):
            yield _text(_mapping(launch).get("cubin")), NATIVE


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int else None
