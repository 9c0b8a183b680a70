"""nests of arguments in a signature -> what takes the leaves of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .leaves import leaves_of
from .nests import read_nest
from .refusals import Refuse
from .takers import taker


class ArgumentTree:
    """The arguments of a call, by their paths, and how each is nested.

    ``data`` is ``in_tree`` of a signature as JSON data. Raises ValueError for what no pack writes.
    """

    def __init__(self, data: Any) -> None:
        if not isinstance(data, list) or not all(
            isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) for row in data
        ):
            raise ValueError("its arguments are no list of names and nests")
        nests = [(path, read_nest(nest)) for path, nest in data]
        self._arguments = [(path, n, None if n is None else taker(n)) for path, n in nests]

    def leaves(self, values: Sequence[Any], refuse: Refuse) -> list[Any]:
        """The leaves of the arguments, given in order; ``refuse`` makes what is raised."""
        leaves: list[Any] = []
        for (path, nest, take), value in zip(self._arguments, values, strict=True):
            if take is None:
                leaves.append(value)
                continue
            count = len(leaves)
            if not take(value, leaves):
                del leaves[count:]
                leaves_of(nest, value, path, leaves, refuse)
        return leaves
