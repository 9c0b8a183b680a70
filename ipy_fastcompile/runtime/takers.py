"""a nest -> what takes the leaves of a value that is held just so, without words and paths.

A decode step brings a cache with two tensors for every layer of the model, hundreds of times. What
is held in any other way is left to `leaves_of`, which knows more ways, and says what is wrong.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .containers import open_container
from .fixed import NoData
from .leaves import is_fixed, leaves_of
from .nests import Fixed, Nest
from .refusals import Misfit, untold
from .type_names import name_of

# ``take(value, leaves)`` appends the leaves, or says that the value is not held so.
Take = Callable[[Any, list[Any]], bool]
# Values that stay what they are: one that was right once is not looked at again.
_LASTING = (type, enum.Enum, torch.dtype, torch.layout, torch.memory_format, torch.device)
_UNSEEN = object()


def taker(nest: Nest | Fixed) -> Take:
    """What takes the leaves of values in such a nest."""
    if isinstance(nest, Fixed):
        return _of_fixed(nest)
    inner = [None if child is None else taker(child) for child in nest.children]
    if nest.kind == "object":
        return _of_object(nest, inner)
    if nest.type in ("builtins:list", "builtins:tuple"):
        return _of_sequence(list if nest.type == "builtins:list" else tuple, inner)
    if nest.type == "builtins:dict" and all(type(key) is str for key in nest.keys):
        return _of_dict(nest.keys, inner)
    return _of_other(nest)


def _take_all(inner: Sequence[Take | None], values: Any, leaves: list[Any]) -> bool:
    for take, value in zip(inner, values, strict=True):
        if take is None:
            leaves.append(value)
        elif not take(value, leaves):
            return False
    return True


def _of_object(nest: Nest, inner: Sequence[Take | None]) -> Take:
    """An object that is its attributes; what a type is like is looked at once."""
    known: Any = None

    def take(value: Any, leaves: list[Any]) -> bool:
        nonlocal known
        kind = type(value)
        if kind is not known:
            if name_of(kind) != nest.type or not _is_object(value):
                return False
            known = kind
        held = value.__dict__
        return tuple(held) == nest.names and _take_all(inner, held.values(), leaves)

    return take


def _is_object(value: Any) -> bool:
    try:
        opened = open_container(value)
    except NoData:
        return False
    return opened is not None and opened.kind == "object"


def _of_sequence(
    kind: type[list[Any]] | type[tuple[Any, ...]], inner: Sequence[Take | None]
) -> Take:
    def take(value: Any, leaves: list[Any]) -> bool:
        return type(value) is kind and len(value) == len(inner) and _take_all(inner, value, leaves)

    return take


def _of_dict(keys: tuple[str, ...], inner: Sequence[Take | None]) -> Take:
    def take(value: Any, leaves: list[Any]) -> bool:
        return (
            type(value) is dict
            and tuple(value) == keys
            and _take_all(inner, value.values(), leaves)
        )

    return take


def _of_fixed(nest: Fixed) -> Take:
    known: Any = _UNSEEN

    def take(value: Any, leaves: list[Any]) -> bool:
        nonlocal known
        # A tensor makes its device anew whenever it is asked.
        if value is not known and (type(value) is not torch.device or value != known):
            if not is_fixed(nest, value):
                return False
            if isinstance(value, _LASTING):
                known = value
        leaves.append(None)
        return True

    return take


def _of_other(nest: Nest) -> Take:
    def take(value: Any, leaves: list[Any]) -> bool:
        try:
            leaves_of(nest, value, "", leaves, untold)
        except Misfit:
            return False
        return True

    return take
