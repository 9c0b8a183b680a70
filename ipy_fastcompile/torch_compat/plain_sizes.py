"""quotients and remainders of symbolic sizes -> plain sizes, where they are known to be such.

torch.fx.experimental.sym_node.SymNode; seen on 2.13. Torch simplifies what it is asked about sizes
by their ranges, but not the sizes that it computes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from . import symbolic

_DIVISIONS = ("_mod", "_int_floordiv", "_floordiv")

# An expression, and the range of each symbol in it -> the same expression, simpler.
_Simplified = Callable[[Any, dict[Any, tuple[int, int | None]]], Any]


@contextlib.contextmanager
def plain_sizes(simplified: _Simplified) -> Iterator[None]:
    """While this lasts, a division of sizes has the expression that ``simplified`` makes of it."""
    from torch.fx.experimental.sym_node import SymNode

    usual = {name: vars(SymNode)[name] for name in _DIVISIONS if name in vars(SymNode)}
    for name, divide in usual.items():
        setattr(SymNode, name, _made_plain(divide, simplified))
    try:
        yield
    finally:
        for name, divide in usual.items():
            setattr(SymNode, name, divide)


def _made_plain(divide: Callable[[Any, Any], Any], simplified: _Simplified) -> Any:
    from torch.fx.experimental.proxy_tensor import get_proxy_mode
    from torch.fx.experimental.sym_node import SymNode

    def plainly(self: Any, other: Any) -> Any:
        found = divide(self, other)
        if get_proxy_mode() or not found.expr.free_symbols:
            return found  # while a graph is made, it divides once more without
        environment = found.shape_env
        known = {s: symbolic.symbol_range(environment, s) for s in found.expr.free_symbols}
        ranges = {symbol: limits for symbol, limits in known.items() if limits is not None}
        expression = simplified(found.expr, ranges)
        if expression == found.expr:
            return found
        return SymNode(expression, environment, found.pytype, found._hint, fx_node=found.fx_node)

    return plainly
