"""a value that is no tensor -> plain data that says exactly what it is, and back.

Two values are the same when their data are equal: NaN equals itself, and 1, 1.0 and True differ.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from types import FunctionType
from typing import Any
from uuid import UUID

import torch

from .type_names import find_defined, find_named, name_of

_BY_NAME = (torch.dtype, torch.layout, torch.memory_format)
# Imported when there is one: together they take as long to import as ten files of a load.
_RARE = ("Decimal", "Fraction")
_BY_TEXT: dict[str, Callable[[str], Any]] = {
    "UUID": UUID,
    "device": torch.device,
    "PurePosixPath": PurePosixPath,
    "PureWindowsPath": PureWindowsPath,
}
_GROUPS = {"tuple": tuple, "list": list, "set": set, "frozenset": frozenset, "Size": torch.Size}


class NoData(TypeError):
    """A value that cannot be written as data."""


def data_of(value: Any) -> Any:
    """The value as JSON data: itself where JSON has it, ``{what it is: ...}`` otherwise.

    Raises `NoData` for what has no exact data, an array for instance.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, enum.Enum):
        if "|" in (value.name or "|"):  # several flags at once
            return {"flags": [name_of(kind), data_of(value.value)]}
        return {"enum": [name_of(kind), value.name]}
    if kind in _GROUPS.values():
        items = [data_of(item) for item in value]
        if kind in (set, frozenset):
            items.sort(key=json.dumps)
        return {kind.__name__: items}
    if kind is dict:
        return {"dict": [[data_of(k), data_of(v)] for k, v in value.items()]}
    if kind is complex:
        return {"complex": [data_of(value.real), data_of(value.imag)]}
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind in (range, slice):
        return {kind.__name__: [data_of(n) for n in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"Ellipsis": None}
    if isinstance(value, _BY_NAME):
        return {"torch": str(value).removeprefix("torch.")}
    if isinstance(value, PurePath):
        windows = isinstance(value, PureWindowsPath)
        return {"PureWindowsPath" if windows else "PurePosixPath": str(value)}
    if kind in (UUID, torch.device) or (kind.__name__ in _RARE and kind is _rare(kind.__name__)):
        return {kind.__name__: str(value)}
    if isinstance(value, type):
        return {"type": name_of(value)}
    if isinstance(value, FunctionType):
        if find_defined(name_of(value)) is not value:
            raise NoData(f"the function {value.__qualname__} is not defined at the top of a module")
        return {"function": name_of(value)}
    if kind.__module__ == "numpy" and "generic" in (base.__name__ for base in kind.__mro__):
        plain = value.item()
        if type(plain) in (bool, int, float, complex, str, bytes):
            return {"numpy": [kind.__name__, data_of(plain)]}
    raise NoData(f"a {kind.__name__} has no exact data")


def value_of(data: Any, known: Mapping[str, Any]) -> Any:
    """The value that `data_of` wrote; types of enumerations are looked for as `find_named` does."""
    if not isinstance(data, dict):
        return data
    ((kind, said),) = data.items()
    if kind in _GROUPS:
        return _GROUPS[kind](value_of(item, known) for item in said)
    if kind == "dict":
        return {value_of(k, known): value_of(v, known) for k, v in said}
    if kind in ("type", "function"):
        return find_named(said, known)
    if kind == "enum":
        return find_named(said[0], known)[said[1]]
    if kind == "flags":
        return find_named(said[0], known)(value_of(said[1], known))
    if kind == "float":
        return float(said)
    if kind == "complex":
        return complex(*(value_of(part, known) for part in said))
    if kind == "bytes":
        return bytes.fromhex(said)
    if kind in ("range", "slice"):
        return (range if kind == "range" else slice)(*(value_of(n, known) for n in said))
    if kind == "torch":
        found = getattr(torch, said)
        if isinstance(found, _BY_NAME):
            return found
    if kind == "numpy":
        import numpy as np

        return getattr(np, said[0])(value_of(said[1], known))
    if kind == "Ellipsis":
        return ...
    return (_rare(kind) if kind in _RARE else _BY_TEXT[kind])(said)


def _rare(name: str) -> Callable[[str], Any]:
    if name == "Decimal":
        from decimal import Decimal

        return Decimal
    from fractions import Fraction

    return Fraction
