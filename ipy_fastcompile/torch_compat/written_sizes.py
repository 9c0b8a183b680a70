"""text that a model makes of a symbolic size -> the number of the example, to which it is fixed.

torch.SymInt, torch.SymFloat, torch.SymBool; seen on 2.13. Torch itself writes the name of a symbol,
``s27``, and a table that is asked for that, or a string that is returned, would be wrong.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

_NUMBERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (torch.SymInt, int),
    (torch.SymFloat, float),
    (torch.SymBool, bool),
)
_METHODS = ("__repr__", "__str__", "__format__")
# Who writes sizes for other ends than the model's: torch and ours what they say of them.
_OTHERS = frozenset({"torch", "sympy", "logging", __name__.partition(".")[0]})


@contextlib.contextmanager
def written_as_numbers() -> Iterator[None]:
    """While this lasts, the code of a model writes sizes as numbers, and torch notes each."""
    before = [(kind, name, vars(kind).get(name)) for kind, _ in _NUMBERS for name in _METHODS]
    for kind, number in _NUMBERS:
        _replace(kind, number)
    try:
        yield
    finally:
        for kind, name, method in before:
            if method is None:
                delattr(kind, name)
            else:
                setattr(kind, name, method)


def _replace(kind: Any, number: Callable[[Any], Any]) -> None:
    usual = kind.__repr__

    def written(size: Any) -> str:
        return repr(number(size)) if _is_asked_by_a_model() else usual(size)

    def formatted(size: Any, spec: str) -> str:
        return format(number(size) if _is_asked_by_a_model() else usual(size), spec)

    kind.__repr__ = kind.__str__ = written
    kind.__format__ = formatted


def _is_asked_by_a_model() -> bool:
    asks = sys._getframe(2).f_globals.get("__name__", "")
    return asks.partition(".")[0] not in _OTHERS
