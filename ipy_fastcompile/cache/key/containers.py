"""container of a plain type -> lines: how many items it has, and each of them."""

from __future__ import annotations

import collections
import operator
import types
from collections.abc import Mapping
from typing import Any

from .handler import Handler, is_exactly
from .inline import inline_text
from .names import in_order, shortened
from .walker import Walker

PLAIN = (dict, list, tuple, set, frozenset, collections.deque)


def _container(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, f"{type(value).__name__} of {len(value)}")
    _items(walker, path, value, depth)


def _proxy(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, "mappingproxy")
    _items(walker, path, dict(value), depth)


def _default_dict(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, f"defaultdict of {len(value)}")
    walker.describe(f"{path}.default_factory", value.default_factory, depth + 1)
    _items(walker, path, dict(value), depth)


def _items(walker: Walker, path: str, value: Any, depth: int) -> None:
    """The items of a container, each below ``path``."""
    if isinstance(value, (set, frozenset)):
        walker.miss(path, "it is a set of objects that have no order")
    elif isinstance(value, Mapping):
        _pairs(walker, path, value, depth)
    else:
        for position, item in enumerate(value):
            walker.describe(f"{path}[{position}]", item, depth + 1)


def _pairs(walker: Walker, path: str, value: Mapping[Any, Any], depth: int) -> None:
    items = list(value.items())
    if walker.in_package and all(type(k) is str and isinstance(v, str | None) for k, v in items):
        # Packages fill tables of names from sets, in another order in each process.
        names = shortened(", ".join(k for k, _ in items))
        items.sort(key=operator.itemgetter(0))
        walker.if_used("ordered", names)
    for position, (key, item) in enumerate(items):
        text = inline_text(key, walker)
        if text is None:
            text = f"key {position}"
            walker.describe(f"{path}.{text}", key, depth + 1)
        walker.describe(
            f"{path}[{shortened(text)}]",
            in_order(key, item),
            depth + 1,
        )


CONTAINERS = (
    Handler((types.MappingProxyType,), _proxy),
    Handler(PLAIN, _container, when=is_exactly(*PLAIN)),
    Handler((collections.defaultdict,), _default_dict, when=is_exactly(collections.defaultdict)),
)
