"""the sizes that calls were seen with -> what varies, with names, as `dynamic` takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...runtime.containers import open_container
from ..sizes.size_names import dimension_word
from .observed import Place

Row = tuple[int, ...]


def thinness(row: Row) -> int:
    """How many sizes are 0 or 1: torch cannot tell of them how they would vary."""
    return sum(size < 2 for size in row)


def varying_groups(seen: Sequence[Row]) -> list[list[int]]:
    """The places that took several sizes, those together that had the same size in every call."""
    columns: dict[tuple[int, ...], list[int]] = {}
    for position, column in enumerate(zip(*seen, strict=True)):
        if len(set(column)) > 1:
            columns.setdefault(column, []).append(position)
    return list(columns.values())


def name_groups(places: Sequence[Place], groups: Sequence[Sequence[int]]) -> dict[int, str]:
    """The name of each place that is in a group; places of one group share it."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for group in groups:
        offers = [offer for offer, holds in _OFFERS if holds([places[p] for p in group])]
        offers.append(_own_name(min((places[p] for p in group), key=lambda p: len(p.path))))
        name = next((offer for offer in offers if offer not in taken), offers[-1])
        number = 2
        while name in taken:
            name, number = f"{offers[-1]}_{number}", number + 1
        taken.add(name)
        names |= dict.fromkeys(group, name)
    return names


def _is_batch(places: Sequence[Place]) -> bool:
    """The first dimension of all tensors in the group, which have more than one."""
    tensors = [place for place in places if place.dim is not None]
    return bool(tensors) and all(place.dim == 0 and place.rank > 1 for place in tensors)


def _is_sequence(places: Sequence[Place]) -> bool:
    """The second dimension of token ids, or of what stands for them."""
    ids = re.compile(r"(?:\w+_)?(?:ids|inputs_embeds|hidden_states)")
    return any(place.dim == 1 and ids.fullmatch(place.path) for place in places)


def _is_past(places: Sequence[Place]) -> bool:
    """The third dimension of the keys of a cache, which have heads before it."""
    return any(
        place.dim == 2 and place.rank == 4 and re.search(r"\bkeys?\b", place.path)
        for place in places
    )


# Names that people read, and whether the places of a group may have them.
_OFFERS = (("batch", _is_batch), ("seq", _is_sequence), ("past", _is_past))


def _own_name(place: Place) -> str:
    """``cache_layers_0_keys_length`` for dimension 2 of ``cache.layers[0].keys``."""
    words = re.findall(r"\w+", place.path)
    if place.dim is not None:
        words.append(dimension_word(place.path, place.dim, place.rank))
    text = "_".join(words)
    return text if text.isidentifier() else f"size_{text}"


def dynamic_of(arguments: Mapping[str, Any], wishes: Mapping[tuple[str, int | None], Any]) -> Any:
    """``{argument: {dimension: wish}}``, nested as the arguments are; None where nothing varies.

    ``wishes`` are by the way to a tensor and its dimension, or to a number and None.
    """
    at: dict[str, Any] = {}
    for (path, dim), wish in wishes.items():
        if dim is None:
            at[path] = wish
        else:
            at.setdefault(path, {})[dim] = wish
    found = {name: _nested(name, value, at) for name, value in arguments.items()}
    return {name: wish for name, wish in found.items() if wish is not None} or None


def _nested(path: str, value: Any, at: Mapping[str, Any]) -> Any:
    if isinstance(value, torch.Tensor) or path in at:
        return at.get(path)
    if not any(way.startswith(path) for way in at):
        return None
    opened = open_container(value)
    if opened is None:
        return None
    found = {
        label: _nested(path + step, child, at)
        for label, step, child in zip(opened.labels, opened.steps(), opened.children, strict=True)
    }
    return {label: wish for label, wish in found.items() if wish is not None} or None
