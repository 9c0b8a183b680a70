"""class or function -> what it is called in a key; text -> the same, short enough for a line."""

from __future__ import annotations

import functools
import types
from hashlib import sha256
from typing import Any

_LONG = 1000


def class_name(cls: type) -> str:
    """``helpers.Model``."""
    return f"{cls.__module__}.{cls.__qualname__}"


def function_name(function: types.FunctionType) -> str:
    """``helpers.Model.forward``."""
    module = function.__globals__.get("__name__", "?")
    return f"{module}.{function.__qualname__}"


def functions_of(value: Any) -> list[types.FunctionType]:
    """The functions that a class attribute holds: methods of every kind, and properties."""
    if isinstance(value, property):
        found = [value.fget, value.fset, value.fdel]
    elif isinstance(value, functools.cached_property):
        found = [value.func]
    else:
        found = [getattr(value, "__func__", value)]
    return [function for function in found if isinstance(function, types.FunctionType)]


def shortened(text: str) -> str:
    """The text itself, or where it is long its start and its digest."""
    if len(text) <= _LONG:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:80]}... ({len(text)} characters, sha256 {digest})"


# diffusers notes which settings of a configuration are defaults: a list, made of a set.
_SETS = ("_use_default_values",)


def in_order(name: Any, value: Any) -> Any:
    """The value under a name; sorted, where a package writes a set there as a list."""
    if (
        type(name) is str
        and name in _SETS
        and type(value) is list
        and all(type(item) is str for item in value)
    ):
        return sorted(value)
    return value
