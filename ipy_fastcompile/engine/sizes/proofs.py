"""condition on sizes + their ranges -> whether it always holds; its simpler forms.

Everything here is a proof: what cannot be shown is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from ...torch_compat import symbolic

# Symbol -> least and largest size; None where there is no largest.
Ranges = Mapping[Any, tuple[int, int | None]]
_DIVISIONS = ("FloorDiv", "CleanDiv")
_REMAINDERS = ("Mod", "PythonMod")
_ROUNDS = 8


def is_relation(expression: Any) -> bool:
    """Whether an expression compares two numbers."""
    return isinstance(expression, sympy.core.relational.Relational)


def always(condition: Any, ranges: Ranges) -> bool:
    """Whether a condition is proved for all sizes in these ranges."""
    if condition in (True, sympy.true):
        return True
    if isinstance(condition, sympy.Or):
        return any(always(part, ranges) for part in condition.args)
    if isinstance(condition, sympy.And):
        return all(always(part, ranges) for part in condition.args)
    if not is_relation(condition) or not condition.free_symbols <= set(ranges):
        return False
    difference = sympy.expand(condition.lhs - condition.rhs)
    if _holds(condition, difference, ranges):
        return True
    # Intervals of a product are tighter than those of a sum in which a symbol occurs twice.
    factored = sympy.factor(difference) if difference.is_Add else difference
    return factored != difference and _holds(condition, factored, ranges)


def _holds(condition: Any, difference: Any, ranges: Ranges) -> bool:
    low, high = symbolic.bounded(difference, ranges)
    if isinstance(condition, sympy.Eq):
        return bool(low == 0 and high == 0)
    if isinstance(condition, sympy.Ne):
        return bool(low > 0) or bool(high < 0)
    return {
        ">=": bool(low >= 0), ">": bool(low > 0), "<=": bool(high <= 0), "<": bool(high < 0),
    }[condition.rel_op]  # fmt: skip


# A relation, read from its other side.
MIRRORED = {"==": "==", "!=": "!=", ">=": "<=", "<=": ">=", ">": "<", "<": ">"}


def linear_bound(condition: Any) -> tuple[int | None, int | None] | None:
    """The least and the most that ``factor*symbol + offset > 0`` and the like allow, else None."""
    if not is_relation(condition) or len(condition.free_symbols) != 1:
        return None
    (symbol,) = condition.free_symbols
    difference = sympy.expand(condition.lhs - condition.rhs)
    factor = difference.coeff(symbol, 1)
    offset = difference - factor * symbol
    if condition.rel_op in ("==", "!=") or not (factor.is_Integer and offset.is_Integer):
        return None
    if condition.rel_op in ("<", "<="):
        factor, offset = -factor, -offset
    factor, offset = int(factor), int(offset) - (condition.rel_op in (">", "<"))
    # Now the whole of it is at least 0.
    return (-(offset // factor), None) if factor > 0 else (None, offset // -factor)


def simplified(expression: Any, ranges: Ranges) -> Any:
    """An expression with divisions and maxima done that can be done for all these sizes."""
    for _ in range(_ROUNDS):
        known = {}
        for atom in sympy.preorder_traversal(expression):
            kind = type(atom).__name__
            found = None
            if kind in _DIVISIONS:
                found = _divided(atom.args[0], atom.args[1], ranges)
            elif kind in _REMAINDERS:
                base = _congruent(*atom.args)
                quotient = _divided(base, atom.args[1], ranges)
                if quotient is not None:
                    found = sympy.expand(base - atom.args[1] * quotient)
            elif kind in ("Max", "Min"):
                found = _extreme(atom, kind == "Max", ranges)
            if found is not None:
                known[atom] = found
        if not known:
            break
        expression = expression.xreplace(known)
    return expression


def _divided(numerator: Any, number: Any, ranges: Ranges) -> Any:
    """``(q*number + r) // number`` is q for 0 <= r < number, and q - 1 for -number <= r < 0."""
    rest, quotient = sympy.expand(numerator), sympy.Integer(0)
    for term in sympy.Add.make_args(rest):
        part = sympy.cancel(term / number)
        if _is_whole(part):
            quotient += part
    rest = sympy.expand(rest - quotient * number)
    for below in (0, 1):
        inside = (rest >= -below * number, rest < (1 - below) * number)
        if number.free_symbols <= set(ranges) and all(always(c, ranges) for c in inside):
            return sympy.expand(quotient - below)
    if number.is_Integer and number > 0 and rest.free_symbols <= set(ranges):
        ends = [symbolic.finite(end) for end in symbolic.bounded(rest, ranges)]
        floors = {None if end is None else end // int(number) for end in ends}
        if len(floors) == 1 and None not in floors:
            return sympy.expand(quotient + floors.pop())
    return None


def _congruent(base: Any, number: Any) -> Any:
    """A simpler base with the same remainder: what has one by a multiple of the number, itself."""
    known = {}
    for term in sympy.Add.make_args(base):
        factor, rest = term.as_coeff_Mul()
        if type(rest).__name__ in _REMAINDERS:
            part = factor * rest.args[1] / number
            known[term] = factor * rest.args[0] if part.is_Integer else term
    return sympy.expand(base.xreplace(known))


def _is_whole(expression: Any) -> bool:
    """Whether a polynomial has whole coefficients: then its values are whole."""
    numerator, denominator = sympy.fraction(sympy.together(expression))
    return bool(denominator == 1) and all(
        c.is_Integer for c in sympy.expand(numerator).as_coefficients_dict().values()
    )


def _extreme(atom: Any, largest: bool, ranges: Ranges) -> Any:
    for one in atom.args:
        others = [other for other in atom.args if other != one]
        if all(always(one >= o if largest else one <= o, ranges) for o in others):
            return one
    return None


def divisibility(expression: Any) -> tuple[Any, int] | None:
    """``(base, number)`` where a condition says that the base is a multiple of the number.

    Besides ``Mod(base, number) == 0`` these are ``base == number*(base // number)``, and the same
    with ``(base + t) // number`` for ``0 <= t < number``, as padded convolutions leave it.
    """
    if not isinstance(expression, sympy.Eq):
        return None
    left, right = expression.args
    for one, other in ((left, right), (right, left)):
        if type(one).__name__ in _REMAINDERS and other == 0 and one.args[1].is_Integer:
            return one.args[0], int(one.args[1])
    difference = sympy.expand(left - right)
    for division in difference.atoms(sympy.Function):
        if type(division).__name__ not in _DIVISIONS or not division.args[1].is_Integer:
            continue
        numerator, number = division.args
        factor = difference.coeff(division)
        if not factor.is_Integer or factor == 0:
            continue
        base = sympy.expand(-(difference - factor * division) * number / factor)
        rest = sympy.expand(numerator - base)
        whole = all(c.is_Integer for c in base.as_coefficients_dict().values())
        if rest.is_Integer and 0 <= rest < number and whole and not base.has(division):
            return base, int(number)
    return None


def floored_factors(expression: Any, ranges: Ranges) -> list[tuple[Any, int]]:
    """``[(n, a), (m, b)]`` where a condition says ``c*n*m == c*a*(n // a)*b*(m // b)``.

    No factor on the right is larger than the one on the left, and all are positive, so that the
    products are equal only if each pair of factors is.
    """
    if not isinstance(expression, sympy.Eq):
        return []
    for plain, floored in (expression.args, expression.args[::-1]):
        divisions = [f for f in floored.atoms(sympy.Function) if type(f).__name__ in _DIVISIONS]
        pairs = [f.args for f in divisions]
        if (
            not divisions
            or plain.atoms(sympy.Function)
            or not all(n.is_Symbol and a.is_Integer for n, a in pairs)
            or len(sympy.Add.make_args(plain)) + len(sympy.Add.make_args(floored)) > 2
            or any(ranges.get(symbol, (0, None))[0] < 1 for symbol in expression.free_symbols)
        ):
            continue
        whole = floored.xreplace({f: f.args[0] / f.args[1] for f in divisions})
        if sympy.expand(plain - whole) == 0 and plain.as_coeff_Mul()[0] > 0:
            return [(n, int(a)) for n, a in pairs]
    return []


def exact_products(conditions: Sequence[Any]) -> list[Any]:
    """``a == c*q`` for all that say ``a // q == c`` and ``a % q == 0``, as ``view`` leaves it."""
    whole = {
        c.lhs.args
        for c in conditions
        if isinstance(c, sympy.Eq) and type(c.lhs).__name__ in _REMAINDERS and c.rhs == 0
    }
    return [
        sympy.Eq(c.lhs.args[0], sympy.expand(c.rhs * c.lhs.args[1]), evaluate=False)
        for c in conditions
        if isinstance(c, sympy.Eq)
        and type(c.lhs).__name__ in _DIVISIONS
        and c.rhs.is_Integer
        and c.lhs.args in whole
    ]
