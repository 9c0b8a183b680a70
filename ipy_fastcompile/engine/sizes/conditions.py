"""guards of a graph -> the conditions on sizes that a call must meet, few and in words.

What torch recorded while it traced is redundant: a ``view(b, n // 4, 4, c)`` leaves a dozen guards
that all say that ``n`` is a multiple of 4. A condition is left out only where those that are kept
and the ranges of the sizes prove it; the proofs are substitution (``n = 4*k``) and interval
arithmetic. Long conditions, and those for which no attempt is left, are kept as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from ...records import Source
from ...torch_compat import symbolic
from .proofs import (
    MIRRORED,
    Ranges,
    always,
    divisibility,
    exact_products,
    floored_factors,
    linear_bound,
    simplified,
)


@dataclass(frozen=True)
class Condition:
    """A condition on symbolic sizes that the graph takes for granted.

    ``expression`` is sympy's, over the graph's symbols; ``source`` the line of the user's model
    that needs it, where that is known.
    """

    expression: Any
    source: Source | None = None

    @property
    def symbols(self) -> frozenset[Any]:
        """The symbols it is about."""
        return frozenset(self.expression.free_symbols)


def reduce_conditions(conditions: Sequence[Condition], ranges: Ranges) -> tuple[Condition, ...]:
    """As few conditions as can be proved to mean the same for all sizes in ``ranges``."""
    return _Reduction(conditions, ranges).result()


def split_condition(expression: Any) -> Iterator[Any]:
    """The parts of a conjunction, each a condition of its own."""
    if isinstance(expression, sympy.And):
        for part in expression.args:
            yield from split_condition(part)
    elif expression not in (True, sympy.true):
        yield expression


# How many proofs are tried. Counted, not timed: what is written must not depend on the clock.
_ATTEMPTS = 200


class _Reduction:
    """Writes every symbol as ``multiple * new symbol``, and drops what is true for all of those."""

    def __init__(self, conditions: Sequence[Condition], ranges: Ranges) -> None:
        self._given = ranges
        self._open: list[Condition] = []
        self._multiples: dict[Any, int] = {}
        self._sources: dict[Any, Source | None] = {}
        self._new: dict[Any, Any] = {}
        self._ranges: dict[Any, tuple[int, int | None]] = {}
        self._bounded_by: dict[tuple[Any, str], Source | None] = {}
        self._in_vain: set[Any] = set()  # proofs take long: none is tried twice
        self._left = _ATTEMPTS
        self._long: list[Condition] = []
        seen: set[Any] = set()
        for condition in conditions:
            for part in split_condition(condition.expression):
                if part not in seen:
                    seen.add(part)
                    short = symbolic.is_short(part)
                    (self._open if short else self._long).append(Condition(part, condition.source))
        for product in exact_products([c.expression for c in self._open]):
            self._open.insert(0, Condition(product, self._open[0].source))
        for symbol in {s for c in self._open for s in c.symbols}:
            if symbol in ranges:
                self._renew(symbol, 1)

    def result(self) -> tuple[Condition, ...]:
        while self._learn():
            pass
        kept = [c for c in self._open if not self._follows(c)]
        kept += self._long
        kept.sort(key=lambda c: (len(c.symbols), sympy.count_ops(c.expression), str(c.expression)))
        return (*self._about_one(), *_with_equalities(list(_without_equivalents(kept))))

    def _follows(self, condition: Condition) -> bool:
        """Whether the ranges prove a condition; where no attempt is left, it is kept unproved."""
        self._left -= 1
        return self._left >= 0 and always(self._written(condition), self._ranges)

    def _renew(self, symbol: Any, multiple: int) -> None:
        """Let ``symbol`` be a multiple: of this number, and of what it was before."""
        number = math.lcm(self._multiples.get(symbol, 1), multiple)
        low, high = self._given[symbol]
        if symbol in self._new:  # bounds that were learned stay
            before, (least, most) = self._multiples[symbol], self._ranges[self._new[symbol]]
            low = max(low, least * before)
            high = None if most is None else most * before
        self._multiples[symbol] = number
        new = sympy.Symbol(f"{symbol}_by_{number}", integer=True, nonnegative=True)
        self._new[symbol] = new
        self._ranges[new] = (-(-low // number), None if high is None else high // number)

    def _written(self, condition: Condition) -> Any:
        """A condition over the new symbols, simplified."""
        written = {s: self._multiples[s] * new for s, new in self._new.items()}
        return simplified(condition.expression.xreplace(written), self._ranges)

    def _about_one(self) -> Iterator[Condition]:
        """Multiples and bounds, which `_learn` took out of the rest."""
        for symbol in sorted(self._new, key=str):
            multiple = self._multiples[symbol]
            if multiple > 1:
                remainder = symbolic.remainder(symbol, multiple)
                yield Condition(sympy.Eq(remainder, 0, evaluate=False), self._sources.get(symbol))
            low, high = self._ranges[self._new[symbol]]
            given_low, given_high = self._given[symbol]
            if low > -(-given_low // multiple):
                source = self._bounded_by.get((symbol, "below"))
                yield Condition(sympy.Ge(symbol, low * multiple, evaluate=False), source)
            if high is not None and (given_high is None or high < given_high // multiple):
                source = self._bounded_by.get((symbol, "above"))
                yield Condition(sympy.Le(symbol, high * multiple, evaluate=False), source)

    def _learn(self) -> bool:
        """Take one multiple or bound of a single symbol out of the rest; whether there was one."""
        for position, condition in enumerate(self._open):
            known_of_it = [
                (str(s), self._multiples.get(s), self._ranges.get(self._new.get(s)))
                for s in sorted(condition.symbols, key=str)
            ]
            attempt = (condition.expression, *known_of_it)
            if attempt in self._in_vain:
                continue
            self._in_vain.add(attempt)
            self._left -= 1
            if self._left < len(self._open):  # the rest is for what follows from all
                return False
            expression = self._written(condition)
            known = condition.symbols <= set(self._new)
            if known and (
                self._divides(expression, condition) or self._bounds(expression, condition)
            ):
                del self._open[position]
                return True
        return False

    def _divides(self, expression: Any, condition: Condition) -> bool:
        """``f*k + d`` is a multiple of n where n divides d; or each factor of a product is one."""
        found = divisibility(expression)
        pairs = [found] if found is not None else floored_factors(expression, self._ranges)
        old = {new: symbol for symbol, new in self._new.items()}
        needed: dict[Any, int] = {}
        for base, number in pairs:
            if len(base.free_symbols) != 1:
                return False
            (new,) = base.free_symbols
            factor = base.coeff(new)
            rest = sympy.expand(base - factor * new)
            if not (factor.is_Integer and rest.is_Integer and int(rest) % number == 0):
                return False
            needed[old[new]] = number // math.gcd(int(factor), number)
        for symbol, number in needed.items():
            if number > 1:
                self._sources[symbol] = self._sources.get(symbol) or condition.source
                self._renew(symbol, self._multiples[symbol] * number)
        return bool(pairs)

    def _bounds(self, expression: Any, condition: Condition) -> bool:
        """A condition on one symbol that is false below some size, or above, and true else."""
        if len(condition.symbols) != 1 or len(getattr(expression, "free_symbols", ())) != 1:
            return False
        (symbol,) = condition.symbols
        new = self._new[symbol]
        low, high = self._ranges[new]
        linear = linear_bound(expression)
        if linear is not None:
            least, most = linear
            if least is not None and least > low:
                self._bounded_by[symbol, "below"] = condition.source
                low = least
            if most is not None and (high is None or most < high):
                self._bounded_by[symbol, "above"] = condition.source
                high = most
            self._ranges[new] = (low, high)
            return True
        certain = _certain_from(expression, new, low, high)
        if certain is None:
            return False
        end, beyond = certain
        truth = [bool(expression.xreplace({new: sympy.Integer(n)})) for n in range(low, end)]
        if not beyond and True not in truth:
            return False  # true for no size at all: not a bound
        first = truth.index(True) if True in truth else len(truth)
        past = len(truth) if beyond else _last_true(truth)
        if not all(truth[first:past]):
            return False
        if first:
            self._bounded_by[symbol, "below"] = condition.source
            low += first
        if not beyond and (high is None or self._ranges[new][0] + past <= high):
            self._bounded_by[symbol, "above"] = condition.source
            high = self._ranges[new][0] + past - 1
        self._ranges[new] = (low, high)
        return True


_ENUMERATED = 4096


def _certain_from(
    expression: Any, symbol: Any, low: int, high: int | None
) -> tuple[int, bool] | None:
    """A size from which on a condition on one symbol is proved to be true, or to be false.

    One past the end of its range counts as such, from which on it is false.
    """
    step = 1
    while step <= _ENUMERATED:
        start = low + step - 1
        if high is not None and start > high:
            return high + 1, False
        beyond = {symbol: (start, high)}
        known = simplified(expression, beyond)
        for answer in (True, False):
            if always(known if answer else sympy.Not(known), beyond):
                return start, answer
        step *= 2
    return None


def _last_true(truth: Sequence[bool]) -> int:
    """One past the last that is true."""
    return max((i + 1 for i, true in enumerate(truth) if true), default=0)


def _without_equivalents(conditions: Sequence[Condition]) -> Iterator[Condition]:
    """One of several that differ by a factor or by which side is which."""
    seen: set[Any] = set()
    for condition in conditions:
        form = _form(condition.expression)
        if form not in seen:
            seen.add(form)
            yield condition


def _with_equalities(conditions: Sequence[Condition]) -> Iterator[Condition]:
    """What is neither less nor more is equal."""
    of_form = {_form(condition.expression): condition for condition in conditions}
    for (sign, *rest), condition in of_form.items():
        other = of_form.get((MIRRORED.get(sign, sign), *rest))
        if sign not in ("<=", ">=") or other is None:
            yield condition
        elif sign == "<=":
            shown = condition.expression
            if not shown.lhs.is_Symbol and other.expression.lhs.is_Symbol:
                shown = other.expression
            equal = sympy.Eq(shown.lhs, shown.rhs, evaluate=False)
            yield Condition(equal, condition.source or other.source)


def _form(expression: Any) -> tuple[Any, ...]:
    """What conditions that are the same written otherwise have in common."""
    if not isinstance(expression, sympy.core.relational.Relational):
        return ("", expression)
    found = divisibility(expression)
    if found is not None:
        return ("multiple", *found)
    difference = sympy.expand(expression.lhs - expression.rhs)
    content, primitive = difference.as_content_primitive()
    sign = expression.rel_op
    primitive = sympy.expand(primitive if content > 0 else -primitive)
    if primitive.could_extract_minus_sign():
        sign, primitive = MIRRORED[sign], sympy.expand(-primitive)
    return (sign, primitive)
