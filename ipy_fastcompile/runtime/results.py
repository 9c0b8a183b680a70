"""the nest of a result in a signature -> what puts results together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .nests import Results, builder, named_types, names_arguments
from .type_names import find_named


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
