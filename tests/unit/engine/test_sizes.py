from __future__ import annotations

import itertools
import math
import re
from typing import Any

import pytest
import sympy
from torch.utils._sympy import functions as f

from ipy_fastcompile.engine.sizes.expressions import size_text, solve_linear
from ipy_fastcompile.errors import CodegenError

a, b = sympy.symbols("s0 s1", integer=True, positive=True)
NAMES = {a: "seq", b: "rows"}

WRITTEN = {
    "seq": a,
    "2*seq": 2 * a,
    "-seq": -a,
    "-rows*seq": -a * b,
    "seq - rows": a - b,
    "rows - seq - 3": b - a - 3,
    "2*rows*seq + 1": 2 * a * b + 1,
    "seq**2": a**2,
    "seq // 2": f.FloorDiv(a, 2),
    "2*((seq + 1) // rows)": 2 * f.FloorDiv(a + 1, b),
    "2*rows*(seq // 2)": 2 * b * f.FloorDiv(a, 2),
    "seq - 2*(seq // 2)": a - 2 * f.FloorDiv(a, 2),
    "-seq // 2": f.FloorDiv(-a, 2),
    "-(seq // 2)": -f.FloorDiv(a, 2),
    "-seq // 2 + seq": a + f.FloorDiv(-a, 2),
    "5 // (seq - 7)": f.FloorDiv(5, a - 7),
    "(seq // rows)*(rows // 2)": f.FloorDiv(a, b) * f.FloorDiv(b, 2),
    "seq % 2": f.Mod(a, 2),
    "(seq - 5) % 3": f.PythonMod(a - 5, 3),
    "max(3, seq, rows)": f.Max(a, b, 3),
    "min(2, seq)": f.Min(a, 2),
    "seq // 4 % 3": f.ModularIndexing(a, 4, 3),
    "(seq + 1) // rows % 3": f.ModularIndexing(a + 1, b, 3),
    "seq**rows": f.PowByNatural(a, b),
    "math.ceil(seq / 3)": f.CeilToInt(f.IntTrueDiv(a, 3)),
    "math.floor(seq / rows)": f.FloorToInt(f.IntTrueDiv(a, b)),
    "math.trunc(seq / rows)": f.TruncToInt(f.IntTrueDiv(a, b)),
    "math.sqrt(float(seq))": f.OpaqueUnaryFn_sqrt(f.ToFloat(a)),
    "seq*2**rows": f.LShift(a, b),
    "(seq + 1) // 2**rows": f.RShift(a + 1, b),
    "(rows + 2)*(seq + 1)": (a + 1) * (b + 2),
    "5 - seq": 5 - a,
    "seq == rows": sympy.Eq(a, b),
    "seq < rows": a < b,
    "0": sympy.Integer(0),
    "-3": sympy.Integer(-3),
}


@pytest.mark.parametrize("expression", WRITTEN.values(), ids=WRITTEN.keys())
def test_the_text_has_the_value_of_the_expression(expression: Any) -> None:
    text = size_text(expression, NAMES)
    for seq, rows in itertools.product((1, 2, 5, 9), (1, 3, 4)):
        value = expression.subs({a: seq, b: rows})
        expected = bool(value) if value in (True, False) else value
        found = eval(text, {"math": math, "seq": seq, "rows": rows})
        assert float(found) == pytest.approx(float(expected), rel=1e-12), (text, seq, rows)


@pytest.mark.parametrize(("text", "expression"), WRITTEN.items())
def test_sizes_read_like_python(text: str, expression: Any) -> None:
    # sympy chooses the order of operands, so the words are compared without theirs.
    assert sorted(re.findall(r"\w+|\S", size_text(expression, NAMES))) == sorted(
        re.findall(r"\w+|\S", text)
    )


def test_a_size_no_input_has_is_refused_by_name() -> None:
    with pytest.raises(CodegenError, match="2\\*u7 depends on u7, which no input has"):
        size_text(2 * sympy.Symbol("u7", integer=True), NAMES)


@pytest.mark.parametrize(
    "expression",
    [a / 2, a**-1, f.IsNonOverlappingAndDenseIndicator(a, b), sympy.sin(a), sympy.sqrt(a)],
    ids=str,
)
def test_what_is_no_arithmetic_on_sizes_is_refused(expression: Any) -> None:
    with pytest.raises(CodegenError, match=r"Size .* has "):
        size_text(expression, NAMES)


def test_a_size_is_solved_for_its_symbol() -> None:
    assert solve_linear(2 * a + 3) == (a, 2, 3)
    assert solve_linear(a) == (a, 1, 0)
    assert solve_linear(a - 1) == (a, 1, -1)
    for not_linear in (a * b, a**2, a + b, 5 - a, sympy.Integer(4), f.FloorDiv(a, 2), a / 2):
        assert solve_linear(sympy.sympify(not_linear)) is None
