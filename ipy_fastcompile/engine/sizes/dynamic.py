"""the user's dynamic sizes -> torch.export's ``dynamic_shapes``, with names kept.

All of it is checked here, before anything is captured: what is misspelt or cannot be is refused
with its place, never left static in silence.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..calls.containers import plain_container
from .dims import Dims
from .hints import is_auto
from .places import Place, places_of
from .wishes import Spot, Wish, wishes_of


@dataclass(frozen=True)
class AskedSizes:
    """The sizes that may vary, in the call that ``root`` holds the arguments of.

    ``dims`` are the `Dim` of each dimension and each whole number, ``wishes`` what was written of
    it. ``small`` are those that "auto" would let vary and of which an example of 0 or 1 tells
    nothing. ``loose`` are names that may be of one size, or of a fixed one: nobody asked for them.
    """

    root: Place | None = None
    dims: Mapping[Spot, Any] = field(default_factory=dict)
    wishes: Mapping[Spot, Wish] = field(default_factory=dict)
    small: tuple[Wish, ...] = ()
    loose: Set[str] = frozenset()

    @property
    def shapes(self) -> Any:
        """torch.export's ``dynamic_shapes``."""
        if not self.dims or self.root is None:
            return None
        return {name: _shape(place, self.dims) for name, place in self.root.children}

    @property
    def is_loose(self) -> bool:
        """Whether some of them need not vary, or have no name that torch.export would take."""
        return any(wish.many or wish.dim is None for wish in self.wishes.values())

    def is_firm(self, wish: Wish) -> bool:
        """Whether it was asked for by itself, so that it is a fault if it cannot be."""
        return not wish.many and self.dims[wish.spot].__name__ not in self.loose

    def with_numbers(self, changed: Set[str]) -> AskedSizes:
        """The same, where of the whole numbers that "auto" is about only ``changed`` vary.

        A number that a call leaves as it is, the length of a window, is no size of it.
        """
        kept = {
            spot: wish
            for spot, wish in self.wishes.items()
            if wish.dim is not None or not is_auto(wish.value) or wish.place.where in changed
        }
        dims = {spot: self.dims[spot] for spot in kept}
        return replace(self, dims=dims, wishes=kept)


def asked_of(
    module: torch.nn.Module,
    bound: inspect.BoundArguments,
    dynamic: Any,
    loose: Set[str] = frozenset(),
) -> AskedSizes:
    """What ``dynamic`` asks for; ``loose`` as in `AskedSizes`.

    Raises CallError naming the entry that cannot be.
    """
    root = places_of(module, bound)
    found = wishes_of(root, dynamic)
    small = tuple(w for w in found.values() if w.many and is_auto(w.value) and w.size < 2)
    # What is left to torch.export may as well be fixed.
    wishes = {
        spot: replace(w, many=w.many or (w.where if is_auto(w.value) else ""))
        for spot, w in found.items()
        if w not in small
    }
    dims = Dims()
    named = {spot: dims.add(wish) for spot, wish in wishes.items()}
    given = {spot: dims.get(value) for spot, value in named.items()}
    return AskedSizes(root, given, wishes, tuple(w for w in small if w.dim is not None), loose)


def _shape(place: Place, given: Mapping[Spot, Any]) -> Any:
    """The entry of ``dynamic_shapes`` for a place, in the containers that export sees."""
    if place.is_tensor:
        rank = place.value.dim()
        spots = {dim: given[place.where, dim] for dim in range(rank) if (place.where, dim) in given}
        return spots or None
    if place.opened is None:
        return given.get((place.where, None))
    held = [_shape(child, given) for _, child in place.children]
    opened = place.opened
    return plain_container(opened.kind, opened.keys, opened.names, held)
