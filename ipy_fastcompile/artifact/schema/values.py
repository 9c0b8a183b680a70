"""A value of a manifest -> whether it is of the kind that its field must have.

Exact, for True is no whole number; and whole columns at once, since a deep model has hundreds of
rows, and every load reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from ...frozen import frozen

_NULL = type(None)
_SAID = {dict: "an object", list: "a list", str: "a string", bool: "true or false", _NULL: "null"}


@frozen
class Kind:
    """What a field holds: the types that JSON gives, for a list also those of its entries.

    ``empty`` stands for a field that is missing; ``only`` lists the values, where others are wrong.
    """

    what: str
    types: frozenset[type]
    entries: frozenset[type] | None = None
    empty: Any = None
    only: frozenset[Any] | None = None

    @cached_property
    def is_any(self) -> bool:
        """Whether any value of these types will do."""
        return self.entries is None and self.only is None

    def fits(self, values: Sequence[Any]) -> bool:
        """Whether each of the values is of this kind."""
        if _NULL in self.types and _are_null(values):
            return True
        if not self.types.issuperset(map(type, values)):
            return False
        if self.only is not None:
            return self.only.issuperset(values)
        if self.entries is None:
            return True
        lists = filter(None, values)  # the empty ones and null have no entries
        return self.entries.issuperset(map(type, chain.from_iterable(lists)))

    def plain(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values as records have them: lists are tuples there."""
        if list not in self.types:
            return values
        if _NULL not in self.types:
            return tuple(map(tuple, values))
        if _are_null(values):
            return values
        return tuple(value if value is None else tuple(value) for value in values)


def _are_null(values: Sequence[Any]) -> bool:
    """The strides of nearly all tensors: they are contiguous."""
    return values.count(None) == len(values)


def _list_of(what: str, *entries: type, or_null: bool = False) -> Kind:
    types: tuple[type, ...] = (list, _NULL) if or_null else (list,)
    return Kind(what, frozenset(types), frozenset(entries), None if or_null else ())


TEXT = Kind("a string", frozenset({str}), empty="")
NOT_FINITE = Kind("nan, inf or -inf", frozenset({str}), only=frozenset({"nan", "inf", "-inf"}))
OUT_KIND = Kind(
    "leaf, tuple, list or tree",
    frozenset({str}),
    empty="tree",
    only=frozenset({"leaf", "tuple", "list", "tree"}),
)
FLAG = Kind("true or false", frozenset({bool}), empty=False)
NUMBER = Kind("a whole number", frozenset({int}), empty=0)
COUNT = Kind("a whole number", frozenset({int}))  # None where a manifest does not say
NUMBER_OR_NULL = Kind("a whole number or null", frozenset({int, _NULL}))
LITERAL = Kind("a number, a string or null", frozenset({bool, int, float, str, _NULL}))
TEXTS = _list_of("a list of strings", str)
NUMBERS = _list_of("a list of whole numbers", int)
NUMBERS_OR_NULL = _list_of("a list of whole numbers, or null", int, or_null=True)
SIZES = _list_of("a list of whole numbers and strings", int, str)
LIST = Kind("a list", frozenset({list}), empty=())
OBJECT = Kind("an object", frozenset({dict}), empty={})


def said(value: Any) -> str:
    """What a value of JSON is, for a message: never the value itself, which may be hostile."""
    return _SAID.get(type(value), "a number")
