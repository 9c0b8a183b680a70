"""Frozen dataclass <-> dicts, lists and scalars, as JSON has them; annotations are the schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from typing import Any


def to_data(record: Any) -> Any:
    """A record as dicts, lists and scalars, ready for `json.dumps`."""
    if dataclasses.is_dataclass(record):
        return {f.name: to_data(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, (tuple, list)):
        return [to_data(item) for item in record]
    return record


@cache
def _field_types(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def from_data(kind: Any, data: Any, where: str = "") -> Any:
    """The record of type ``kind`` that `to_data` turned into ``data``.

    Raises ValueError naming the field when the data does not have that type, lacks a field or has
    one too many.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(data, dict):
            raise ValueError(f"{where or kind.__name__} should be an object, not {data!r:.60}.")
        types_of = _field_types(kind)
        unknown = data.keys() - types_of.keys()
        if unknown:
            raise ValueError(f"{where or kind.__name__} has an unknown field {min(unknown)!r}.")
        # Most values are scalars of just the type, and a large report has tens of thousands.
        fields = {
            name: value
            if type(value) is types_of[name]
            else from_data(types_of[name], value, f"{where}.{name}" if where else name)
            for name, value in data.items()
        }
        try:
            return kind(**fields)
        except TypeError as error:
            raise ValueError(f"{where or kind.__name__}: {error}.") from error
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union or origin is types.UnionType:
        if type(data) in arguments:
            return data
        for option in arguments:
            try:
                return from_data(option, data, where)
            except ValueError:
                continue
        raise ValueError(f"{where} should be {kind}, not {data!r:.60}.")
    if origin is tuple:
        if not isinstance(data, list):
            raise ValueError(f"{where} should be a list, not {data!r:.60}.")
        if arguments[-1] is Ellipsis:
            kind = arguments[0]
            return tuple(
                x if type(x) is kind else from_data(kind, x, f"{where}[{i}]")
                for i, x in enumerate(data)
            )
        if len(data) != len(arguments):
            raise ValueError(f"{where} should have {len(arguments)} entries, not {len(data)}.")
        return tuple(
            from_data(t, x, f"{where}[{i}]")
            for i, (t, x) in enumerate(zip(arguments, data, strict=True))
        )
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise ValueError(f"{where} should be of type {kind.__name__}, not {data!r:.60}.")
    return data
