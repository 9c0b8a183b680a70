"""value -> its text, where it fits one line: numbers, names, and small containers of them."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import types
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from .names import class_name, in_order, shortened
from .walker import Walker

# Containers inside of others are written one line for each item, from this depth on.
_DEEP = 4
_MOST_ITEMS = 16


def inline_text(value: Any, walker: Walker, depth: int = 0) -> str | None:
    """The text of a value that fits one line; None where it does not."""
    write = _BY_TYPE.get(type(value))
    if write is None:
        write = next((text for kind, text in _BY_BASE if isinstance(value, kind)), None)
    return None if write is None else write(value, walker, depth)


Text = Callable[[Any, Walker, int], str | None]


def _repr(value: Any, _walker: Walker, _depth: int) -> str:
    return repr(value)


def _date(value: Any, walker: Walker, _depth: int) -> str:
    walker.deny(class_name(type(value)), type(value))
    return repr(value)


def _size(value: Any, _walker: Walker, _depth: int) -> str:
    return f"Size({list(value)})"


def _slice(value: Any, walker: Walker, depth: int) -> str | None:
    return _joined("slice", (value.start, value.stop, value.step), walker, depth)


def _sequence(value: Any, walker: Walker, depth: int) -> str | None:
    return None if depth >= _DEEP else _joined(type(value).__name__, value, walker, depth)


def _deque(value: Any, walker: Walker, depth: int) -> str | None:
    joined = _sequence(value, walker, depth)
    return None if joined is None else f"{joined}, maxlen={value.maxlen}"


def _set(value: Any, walker: Walker, depth: int) -> str | None:
    if depth >= _DEEP:
        return None
    texts = [inline_text(item, walker, depth + 1) for item in _stable(value)]
    _note_order(value, walker, depth)
    if None in texts:
        return None
    return f"{type(value).__name__}({', '.join(sorted(map(str, texts)))})"


def _dict(value: Any, walker: Walker, depth: int) -> str | None:
    if depth >= _DEEP or len(value) > _MOST_ITEMS:
        return None
    parts = []
    for key, item in value.items():
        a = inline_text(key, walker, depth + 1)
        b = inline_text(in_order(key, item), walker, depth + 1)
        if a is None or b is None:
            return None
        parts.append(f"{a}: {b}")
    return f"{{{', '.join(parts)}}}"


def _class(value: Any, walker: Walker, _depth: int) -> str:
    walker.reach_class(value, is_made=True)
    return f"class {class_name(value)}"


def _enum(value: Any, walker: Walker, depth: int) -> str | None:
    walker.reach_class(type(value))
    content = inline_text(value.value, walker, depth + 1)
    return None if content is None else f"{class_name(type(value))}.{value.name} ({content})"


def _numpy_number(value: Any, _walker: Walker, _depth: int) -> str | None:
    kind = type(value)
    return None if kind is np.void else f"{kind.__name__}({value.item()!r})"


def _numpy_dtype(value: Any, _walker: Walker, _depth: int) -> str:
    return f"numpy.dtype({value.str!r})"


def _path(value: Any, walker: Walker, _depth: int) -> str:
    walker.deny(class_name(type(value)), type(value))
    return f"{type(value).__name__}({str(value)!r})"


def _joined(name: str, items: Iterable[Any], walker: Walker, depth: int) -> str | None:
    texts = []
    for item in items:
        text = inline_text(item, walker, depth + 1)
        if text is None:
            return None
        texts.append(text)
    return f"{name}({', '.join(texts)})"


def _note_order(items: Any, walker: Walker, depth: int) -> None:
    """The order in which a set gives its items, where that is not the same in every process.

    Sets that are made of it have an order of their own, which hangs on how strings are hashed.
    """
    if len(items) > 1 and not all(type(item) in (int, bool) for item in items):
        texts = [str(inline_text(item, walker, depth + 1)) for item in items]
        seed = hash("how this process hashes strings") % 10**8
        walker.if_used("ordered", shortened(f"{', '.join(texts)}; strings are hashed by {seed}"))


def _stable(items: Any) -> list[Any]:
    """The items of a set, in an order that does not depend on addresses where they have names."""
    return sorted(items, key=lambda item: getattr(item, "__qualname__", None) or repr(type(item)))


# Types whose repr says everything, and nothing else.
_BY_REPR: tuple[type, ...] = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(Ellipsis),
    type(NotImplemented),
    torch.dtype,
    torch.layout,
    torch.memory_format,
    torch.device,
    range,
    bytearray,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    dt.time,
    dt.timedelta,
    dt.timezone,
    types.GenericAlias,
    types.UnionType,
    torch.finfo,
    torch.iinfo,
)
_BY_TYPE: dict[type, Text] = {
    **dict.fromkeys(_BY_REPR, _repr),
    dt.date: _date,
    dt.datetime: _date,
    torch.Size: _size,
    slice: _slice,
    list: _sequence,
    tuple: _sequence,
    collections.deque: _deque,
    set: _set,
    frozenset: _set,
    dict: _dict,
}
_BY_BASE: tuple[tuple[type, Text], ...] = (
    (type, _class),
    (enum.Enum, _enum),
    (np.generic, _numpy_number),
    (np.dtype, _numpy_dtype),
    (pathlib.PurePath, _path),
)
