"""groups of calls -> `Kind`s: what varied may vary, with a name; numbers that varied are parted."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from .example import resized
from .kinds import Kind
from .notes import Group, thinness
from .observed import by_name
from .varying import Row, dynamic_of, name_groups, varying_groups

# The values of a whole number that get a kind each, where calls differ in it.
MOST_VALUES = 4


def make_kinds(
    groups: Sequence[Group], signature: inspect.Signature, *, auto: bool
) -> tuple[list[Kind], str]:
    """The kinds of all groups, and in words what is in none."""
    kinds: list[Kind] = []
    left_out: list[str] = []
    for group in groups:
        parts = _by_numbers(group)
        for counts in parts[:MOST_VALUES]:
            kinds.append(_kind(f"call_{len(kinds)}", group, counts, signature, auto=auto))
        rest = sum(sum(counts.values()) for counts in parts[MOST_VALUES:])
        if rest:
            differ = ", ".join(group.first.places[p].path for p in _numbers(group))
            left_out.append(
                f"{rest} more calls are like {kinds[-1].name} but for the values of {differ}."
            )
    return kinds, "\n".join(left_out)


def _numbers(group: Group) -> list[int]:
    """The places of whole numbers that took several values."""
    found = [position for one in varying_groups(list(group.counts)) for position in one]
    return sorted(p for p in found if group.first.places[p].dim is None)


def _by_numbers(group: Group) -> list[dict[Row, int]]:
    """The sizes and their counts, apart where numbers differ."""
    numbers = _numbers(group)
    parts: dict[Row, dict[Row, int]] = {}
    for row, count in group.counts.items():
        parts.setdefault(tuple(row[p] for p in numbers), {})[row] = count
    return list(parts.values())


def _kind(
    name: str, group: Group, counts: dict[Row, int], signature: inspect.Signature, *, auto: bool
) -> Kind:
    places = group.first.places
    sizes, example = group.sizes, group.example
    if sizes not in counts:
        sizes = min(counts, key=lambda row: thinness(group.first, row))
        wanted = {(p.path, p.dim): size for p, size in zip(places, sizes, strict=True)}
        example = resized(example, signature, wanted)
    args, kwargs = example
    named = name_groups(places, varying_groups(list(counts)))
    # Of a size of 0 or 1, torch cannot tell how it would vary.
    names = {p: word for p, word in named.items() if sizes[p] > 1}
    wishes: dict[tuple[str, int | None], Any] = {
        (places[p].path, places[p].dim): word for p, word in names.items()
    }
    if auto:
        for place, size in zip(places, sizes, strict=True):
            if place.dim is not None and size > 1:
                wishes.setdefault((place.path, place.dim), torch.export.Dim.AUTO)
    return Kind(
        name=name,
        args=args,
        kwargs=kwargs,
        dynamic=dynamic_of(by_name(signature, args, kwargs), wishes),
        count=sum(counts.values()),
        parts=group.first.parts,
        places=places,
        seen=tuple(counts),
        names=names,
        autocast=group.first.autocast,
    )
