"""guards of a trace -> the range of a size that they leave, told to torch in the next trace.

A model that pads a size to whole chunks, and goes through the chunks in a loop, has a graph of as
many chunks as the example. The guard of that comes when all sizes that follow from the padding have
been computed, and sympy simplifies none of them afterwards. Where the range is known from the
beginning, the padding is a difference and the number of chunks a number.
"""

from __future__ import annotations

from typing import Any

import sympy

from ...records import Source
from ...torch_compat import symbolic
from ...torch_compat.guards import Evaluation
from .conditions import Condition, reduce_conditions
from .size_book import SizeBook, user_line
from .wishes import Spot

_REMAINDERS = ("Mod", "PythonMod")


class AnotherPiece(BaseException):
    """Ends a trace, of which a better one can be made; a model that catches errors lets it pass."""


class Pieces:
    """The ranges that models leave sizes that are padded to a multiple of a number.

    ``known`` are the least and the largest of each, by its place, and the line that said so; the
    least is 0 where the first piece begins.
    """

    def __init__(self) -> None:
        self.known: dict[Spot, tuple[int, int, Source | None]] = {}

    def look(self, evaluation: Evaluation, book: SizeBook) -> None:
        """Raise `AnotherPiece` where a guard leaves a range that is not known yet."""
        guard = evaluation.guard
        if guard is None or not _fixes_a_padded_size(guard):
            return
        (symbol,) = guard.free_symbols
        spots = [
            spot
            for spot, size in book.first.items()
            if symbolic.is_symbolic_int(size) and symbolic.first_expression(size) == symbol
        ]
        found = _range_of(guard, symbol, evaluation.environment)
        if found is None or not spots or all(self._knows(spot, found) for spot in spots):
            return
        source = user_line(evaluation.frames)
        self.known |= dict.fromkeys(spots, (*found, source))
        raise AnotherPiece

    def state(self, book: SizeBook) -> None:
        """Tell torch of the ranges, of sizes that it has just given symbols to."""
        for spot, (low, high, source) in self.known.items():
            size: Any = book.first.get(spot)
            if symbolic.is_symbolic_int(size):
                book.stating = source
                bool(size >= low), bool(size <= high)  # torch notes what it is asked
        book.stating = None

    def _knows(self, spot: Spot, found: tuple[int, int]) -> bool:
        known = self.known.get(spot)
        return known is not None and found[0] <= known[0] and known[1] <= found[1]


def _fixes_a_padded_size(guard: Any) -> bool:
    """Whether it says which number an expression is in which one size is rounded up."""
    is_equal = isinstance(guard, sympy.Eq) and any(side.is_Integer for side in guard.args)
    return (
        is_equal
        and len(guard.free_symbols) == 1
        and symbolic.is_short(guard)
        and any(map(_rounds_up, guard.atoms(sympy.Function)))
    )


def _rounds_up(atom: Any) -> bool:
    """Whether it is what padding is made of: ``n % k``, ``(n + k - 1) // k`` or ``-n // k``."""
    kind = type(atom).__name__
    if kind != "FloorDiv":
        return kind in _REMAINDERS
    base, number = atom.args
    is_negative: bool = base.could_extract_minus_sign()
    return is_negative or base.as_coeff_Add()[0] == number - 1


def _range_of(guard: Any, symbol: Any, environment: Any) -> tuple[int, int] | None:
    """The sizes for which a guard holds, where these are all from a number up to another one."""
    limits = symbolic.symbol_range(environment, symbol)
    if limits is None:
        return None
    ends: dict[str, int] = {}
    for condition in reduce_conditions([Condition(guard)], {symbol: limits}):
        relation = condition.expression
        if relation.lhs != symbol or relation.rel_op not in ("<=", ">="):
            return None
        ends[relation.rel_op] = int(relation.rhs)
    high = ends.get("<=", limits[1])
    return None if high is None else (ends.get(">=", 0), high)
