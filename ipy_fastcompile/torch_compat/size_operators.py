"""operators of int that a symbolic size lacks -> the same for symbolic sizes, while a block lasts.

torch.SymInt; seen on 2.13, which defines neither `divmod` nor ``~`` for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch


def _divmod(number: Any, other: Any) -> tuple[Any, Any]:
    return number // other, number % other


_OPERATORS: dict[str, Callable[..., Any]] = {
    "__divmod__": _divmod,
    "__rdivmod__": lambda number, other: _divmod(other, number),
    "__invert__": lambda number: -number - 1,
}


@contextlib.contextmanager
def operators_of_numbers() -> Iterator[None]:
    """While this lasts, symbolic sizes have the operators of numbers that torch leaves out."""
    missing = {name: made for name, made in _OPERATORS.items() if name not in vars(torch.SymInt)}
    for name, made in missing.items():
        setattr(torch.SymInt, name, made)
    try:
        yield
    finally:
        for name in missing:
            delattr(torch.SymInt, name)
