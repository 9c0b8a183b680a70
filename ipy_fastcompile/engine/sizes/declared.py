"""the user's names of dimensions -> what they say of sizes that a trace keeps apart.

Where torch.export cannot prove what a named dimension promises, sizes are traced without their
names; that two of them are equal, or multiples of one number, is then for the call to check.
"""

from __future__ import annotations

from typing import Any

import sympy

from ...torch_compat import symbolic
from .hints import root_of


class Declared:
    """Collects what the size of a name is in every place where the user wrote it."""

    def __init__(self) -> None:
        self._places: dict[str, list[tuple[Any, int, int]]] = {}

    def add(self, wanted: Any, size: Any) -> tuple[str, int, int]:
        """Note that a dimension of this size was declared; its root's name, factor and offset."""
        name, factor, offset = root_of(wanted)
        self._places.setdefault(name, []).append((size, factor, offset))
        return name, factor, offset

    def conditions(self) -> tuple[Any, ...]:
        """What does not hold by itself of the sizes that the graph has in these places."""
        found: list[Any] = []
        for places in self._places.values():
            first, times, plus = places[0]
            for size, factor, offset in places:
                if factor != 1:
                    found.append(sympy.Eq(symbolic.remainder(size - offset, factor), 0))
                one, other = (size - offset) * times, (first - plus) * factor
                found.append(sympy.Eq(sympy.expand(one), sympy.expand(other)))
        return tuple(c for c in dict.fromkeys(found) if c not in (True, sympy.true))
