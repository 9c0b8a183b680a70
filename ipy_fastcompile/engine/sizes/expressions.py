"""symbolic size -> Python source over the names of the symbols, and back.

A size is a sympy expression with torch's own functions in it (FloorDiv, Mod, ...), which sympy
cannot print. The printer knows each by name and refuses the rest, so that what it writes evaluates
to the very number that the expression has; `torch.utils._sympy.functions` says what each means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import CodegenError

# How tight an operator binds; an operand that binds less tightly is put in parentheses.
_COMPARISON, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(6)
_Text = tuple[str, int]
# torch's functions of two arguments that are operators of Python.
_OPERATORS = {
    "FloorDiv": "//", "CleanDiv": "//", "Mod": "%", "PythonMod": "%",
    "IntTrueDiv": "/", "FloatTrueDiv": "/",
}  # fmt: skip
_POWERS = frozenset({"Pow", "PowByNatural", "FloatPow"})
_CALLS = {
    "Max": "max", "Min": "min", "Abs": "abs", "ToFloat": "float", "RoundToInt": "round",
    "CeilToInt": "math.ceil", "FloorToInt": "math.floor", "TruncToInt": "math.trunc",
    "ceiling": "math.ceil", "floor": "math.floor",
}  # fmt: skip
_RELATIONS = {
    "Equality": "==", "Unequality": "!=", "LessThan": "<=", "StrictLessThan": "<",
    "GreaterThan": ">=", "StrictGreaterThan": ">",
}  # fmt: skip
_OPAQUE = re.compile(r"OpaqueUnaryFn_([a-z0-9]+)")


def size_text(expression: Any, names: Mapping[Any, str]) -> str:
    """A symbolic size as Python source.

    Parameters
    ----------
    expression:
        A sympy expression.
    names:
        The source text of every symbol: an identifier.

    Raises `CodegenError` for a symbol without a name, and for what is no arithmetic on sizes.
    """
    free = expression.free_symbols - set(names)
    if free:
        raise CodegenError(
            f"Size {expression} depends on {', '.join(sorted(map(str, free)))}, which no input "
            "has.",
            "Make the dimension static, or leave its op inside one submodule.",
        )
    return _Printer(names).write(expression)[0]


def _ordered(expression: Any) -> list[Any]:
    """The parts of a conjunction or disjunction, which sympy keeps as a set, in a stable order."""
    return sorted(expression.args, key=str)


class _Printer:
    def __init__(self, names: Mapping[Any, str]) -> None:
        self._names = names

    def write(self, expression: Any) -> _Text:
        kind = type(expression).__name__
        if expression in self._names:
            return self._names[expression], _ATOM
        if expression.is_Integer:
            number = int(expression)
            return str(number), _ATOM if number >= 0 else _SIGN
        if expression.is_Float:
            return float.__repr__(float(expression)), _ATOM if expression >= 0 else _SIGN
        if kind in ("BooleanTrue", "BooleanFalse"):
            return str(bool(expression)), _ATOM
        if expression.is_Add:
            return self._sum(expression), _SUM
        if expression.is_Mul:
            return self._product(expression)
        if kind in _POWERS:
            return self._power(expression)
        if kind in _OPERATORS:
            return self._binary(_OPERATORS[kind], *expression.args), _PRODUCT
        if kind == "ModularIndexing":
            base, divisor, modulus = expression.args
            return f"{self._binary('//', base, divisor)} % {self._tight(modulus)}", _PRODUCT
        if kind in ("LShift", "RShift"):
            sign = "*" if kind == "LShift" else "//"
            left, right = self._at(expression.args[0], _PRODUCT), expression.args[1]
            return f"{left} {sign} 2**{self._at(right, _POWER)}", _PRODUCT
        if kind == "Where":
            test, yes, no = (self._at(a, _ATOM) for a in expression.args)
            return f"({yes} if {test} else {no})", _ATOM
        if kind in ("And", "Or"):
            # Comparisons are bools, and & and | of them are as well; they bind less than ==.
            sign = " & " if kind == "And" else " | "
            return sign.join(f"({self.write(a)[0]})" for a in _ordered(expression)), _COMPARISON
        if kind == "Not":
            return f"(not {self._at(expression.args[0], _ATOM)})", _ATOM
        if kind in _RELATIONS:
            left, right = (self._at(a, _SUM) for a in expression.args)
            return f"{left} {_RELATIONS[kind]} {right}", _COMPARISON
        if kind == "Identity":
            return self.write(expression.args[0])
        opaque = _OPAQUE.fullmatch(kind)
        function = f"math.{opaque[1]}" if opaque else _CALLS.get(kind)
        if function:
            arguments = ", ".join(self.write(a)[0] for a in expression.args)
            return f"{function}({arguments})", _ATOM
        raise CodegenError(
            f"Size {expression} has {kind} in it, which is no arithmetic on sizes.",
            "Make the dimension static.",
        )

    def _at(self, expression: Any, level: int) -> str:
        text, binds = self.write(expression)
        return text if binds >= level else f"({text})"

    def _tight(self, expression: Any) -> str:
        return self._at(expression, _SIGN)

    def _binary(self, sign: str, left: Any, right: Any) -> str:
        return f"{self._at(left, _PRODUCT)} {sign} {self._tight(right)}"

    def _sum(self, expression: Any) -> str:
        plus, minus = [], []
        for term in expression.as_ordered_terms():
            written = self._at(term, _PRODUCT)
            # `-a // 2` is (-a) // 2: only a product's or a number's own sign may be moved.
            if written.startswith("-") and (term.is_Mul or term.is_Integer):
                minus.append(written[1:])
            else:
                plus.append(written)
        if not plus:
            plus.append(f"-{minus.pop(0)}")
        return " - ".join([" + ".join(plus), *minus])

    def _product(self, expression: Any) -> _Text:
        coefficient, factors = expression.as_coeff_mul()
        if not coefficient.is_Integer:
            raise CodegenError(
                f"Size {expression} has the fraction {coefficient} in it.",
                "Make the dimension static.",
            )
        # `*` and `//` bind alike and from the left: a factor that divides gets parentheses.
        written = [self._tight(f) for f in factors]
        if coefficient == -1:
            return f"-{written[0]}" + "".join(f"*{w}" for w in written[1:]), _PRODUCT
        if coefficient != 1:
            written.insert(0, str(int(coefficient)))
        return "*".join(written), _PRODUCT

    def _power(self, expression: Any) -> _Text:
        base, exponent = expression.args
        negative = exponent.is_number and exponent < 0
        fraction = exponent.is_number and not exponent.is_Integer
        if negative or (fraction and type(expression).__name__ == "Pow"):
            raise CodegenError(
                f"Size {expression} has the exponent {exponent}.", "Make the dimension static."
            )
        return f"{self._at(base, _ATOM)}**{self._tight(exponent)}", _POWER


def solve_linear(expression: Any) -> tuple[Any, int, int] | None:
    """(symbol, factor, offset) of a size that grows with one symbol as `linear_parts` says."""
    found = linear_parts(expression)
    return found if found is not None and found[1] > 0 else None


def linear_parts(expression: Any) -> tuple[Any, int, int] | None:
    """(symbol, factor, offset) of a size ``factor*symbol + offset`` of integers, else None."""
    if len(expression.free_symbols) != 1:
        return None
    (symbol,) = expression.free_symbols
    factor = expression.coeff(symbol, 1)
    offset = expression - factor * symbol
    if not (factor.is_Integer and offset.is_Integer):
        return None
    return symbol, int(factor), int(offset)


def example_of(expression: Any, examples: Mapping[Any, int]) -> int:
    """The number that a size has for these sizes of its symbols; 0 where one is unknown."""
    number = expression.subs(examples)
    return int(number) if number.is_number else 0
