"""nests of a signature -> what takes the leaves of arguments, and what puts results together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .leaves import leaves_of
from .nests import Results, builder, named_types, names_arguments, read_nest
from .refusals import Refuse
from .takers import taker
from .type_names import find_named


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


class ResultTree:
    """The result of a call: ``build`` makes it of its leaves, or of `Results` of a call.

    ``nest`` is as `read_nest` gives it, ``types`` are those by name that need not be looked for.
    Raises TreeTypeMissing for one that this process lacks.
    """

    def __init__(self, nest: Any, types: Mapping[str, Any]) -> None:
        self.build = builder(nest, types)
        self.names_arguments = names_arguments(nest)
        self._nest = nest
        self._types = types

    def build_around(self, leaves: Sequence[Any], arguments: Sequence[Any]) -> Any:
        """The result where arguments of the call are part of it, or changed by it."""
        return self.build(Results(leaves, arguments))

    def types(self) -> dict[str, Any]:
        """The types that it has, by name."""
        return {name: find_named(name, self._types) for name in named_types(self._nest)}
