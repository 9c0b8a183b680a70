"""symbolic size -> its expression, hint and range.

torch.fx.experimental.symbolic_shapes; seen on 2.11 and 2.13.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def is_symbolic_int(value: Any) -> bool:
    """Whether a number is a symbolic size with an expression behind it."""
    return isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool))


def varies(value: Any) -> bool:
    """Whether a number depends on sizes."""
    return is_symbolic_int(value) and bool(symbolic_expression(value).free_symbols)


def symbolic_expression(value: Any) -> Any:
    """The sympy expression of a symbolic number."""
    return value.node.expr


def first_expression(value: Any) -> Any:
    """What a symbolic number was when it was made, before anything was learned of it (2.13)."""
    return value.node._expr


def read_from_data(value: Any) -> str:
    """The symbol that a number was when an op read it from a tensor, "" for others (2.13)."""
    from torch.fx.experimental.symbolic_shapes import SymT, symbol_is_type

    unresolved = value.node._expr if is_symbolic_int(value) else None
    is_symbol = bool(getattr(unresolved, "is_Symbol", False))
    is_own = is_symbol and symbol_is_type(unresolved, SymT.UNBACKED_INT)
    return str(unresolved) if is_own else ""


def symbolic_hint(value: Any) -> int:
    """The size that a symbolic number had for the example inputs.

    2.13 keeps no hint for unbacked sizes; they count as 1.
    """
    if not is_symbolic_int(value):
        return int(value)
    node = value.node
    return int(node.hint) if node.has_hint() else 1


def symbol_hints(value: Any) -> dict[Any, int]:
    """The symbols in a symbolic number, and the size each had for the example inputs."""
    shape_env = value.node.shape_env
    hints = getattr(shape_env, "backed_var_to_val", None)
    hints = shape_env.var_to_val if hints is None else hints  # 2.11 has only this
    return {s: int(hints[s]) for s in value.node.expr.free_symbols if s in hints}


_SHORT = 48


def is_short(expression: Any) -> bool:
    """Whether an expression over sizes has few enough parts for proofs about it to be quick."""
    waiting, parts = [expression], 0
    while waiting:
        waiting += waiting.pop().args
        parts += 1
        if parts > _SHORT:
            return False
    return True


def replaced_sizes(environment: Any, expression: Any) -> Any:
    """An expression with equal symbols made one, as in the sizes of the graph's values."""
    return environment.replace(expression)


def symbol_range(environment: Any, symbol: Any) -> tuple[int, int | None] | None:
    """The least and the largest number that a capture took a symbol to be; None: without bound."""
    limits = environment.var_to_range.get(symbol)
    if limits is None:
        return None
    return finite(limits.lower) or 0, finite(limits.upper)


def finite(limit: Any) -> int | None:
    """An end of a range as a number; None for sympy's and torch's infinities, which have none."""
    return None if "oo" in str(limit) else int(limit)


def bounded(expression: Any, ranges: Mapping[Any, tuple[int, int | None]]) -> tuple[Any, Any]:
    """The least and the largest value of an expression over these ranges, as sympy's numbers."""
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

    known = {
        symbol: ValueRanges(low, int_oo if high is None else high)
        for symbol, (low, high) in ranges.items()
    }
    found = bound_sympy(expression, known)
    return found.lower, found.upper


def remainder(base: Any, number: int) -> Any:
    """Torch's own form of ``base % number``; sympy's would be rewritten by sympy's rules."""
    from torch.utils._sympy.functions import Mod

    return Mod(base, number)
