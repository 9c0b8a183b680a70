"""Conditions on sizes: found, few, in words, and of the user's lines; nothing is lowered here."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import sympy
import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.sizes.conditions import Condition, reduce_conditions
from ipy_fastcompile.engine.sizes.phrases import condition_records
from ipy_fastcompile.errors import CaptureError
from ipy_fastcompile.torch_compat import guards as torch_guards

AUTO = Dim.AUTO


class Run(nn.Module):
    """A function as a module with the arguments ``x`` and, perhaps, ``y``."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> Any:
        return self.function(x) if y is None else self.function(x, y)


def captured(function: Any, *shapes: tuple[int, ...], dynamic: Any) -> Captured:
    return capture(Run(function).eval(), tuple(map(torch.ones, shapes)), dynamic=dynamic)


def words(found: Captured) -> list[str]:
    return [record.words for record in condition_records(found.conditions, found.names)]


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda x: x.view(3, x.shape[1] // 4, 4).sum(2), (3, 16), ["n is a multiple of 4"]),
        (lambda x: functional.pixel_unshuffle(x[None, None], 2), (4, 8), ["n is a multiple of 2"]),
        (lambda x: x * 2 if x.shape[1] % 3 == 1 else x, (2, 16), ["n % 3 is 1"]),
        (lambda x: x * 2 if x.shape[1] != 9 else x, (2, 16), ["n is not 9"]),
        (lambda x: sum(x.chunk(3, 1)), (2, 15), ["n is a multiple of 3"]),
        (lambda x: x.relu(), (2, 16), []),
    ],
)
def test_a_dozen_guards_are_one_condition(function: Any, shape: Any, expected: list[str]) -> None:
    found = words(captured(function, shape, dynamic={"x": {1: "n"}}))
    assert [word for word in found if "at least" not in word] == expected


def test_a_condition_has_the_line_of_the_model() -> None:
    found = captured(lambda x: x.view(-1, 4, 2), (4, 8), dynamic={"x": {1: "n"}})
    (condition, *_) = [c for c in found.conditions if c.source]
    assert condition.source is not None
    assert condition.source.file == __file__
    assert "x.view(-1, 4, 2)" in condition.source.text


def test_few_conditions_mean_what_all_guards_meant() -> None:
    """The proofs that leave conditions out are sound: compared number by number."""
    n, m = (sympy.Symbol(s, integer=True, positive=True) for s in "nm")
    from torch.utils._sympy.functions import FloorDiv, Max, Mod

    pools = [
        sympy.Eq(n, 4 * FloorDiv(n, 4)), sympy.Eq(Mod(n, 6), 0), sympy.Ne(FloorDiv(n, 4), 1),
        sympy.Ge(3 * n, 20), sympy.Lt(n, 30), sympy.Eq(n, 2 * FloorDiv(n - 1, 2) + 2),
        sympy.Eq(3 * n * m, 48 * FloorDiv(n, 4) * FloorDiv(m, 4)), sympy.Ne(n, m),
        sympy.Le(m, n), sympy.Eq(4 * Max(1, FloorDiv(n, 4)), 4 * FloorDiv(n, 4)),
        sympy.Ne(Mod(n, FloorDiv(n, 2)), 1), sympy.Eq(FloorDiv(n, 2), m), sympy.Ne(m, 5),
        sympy.Or(sympy.Eq(Mod(n, 2), 0), sympy.Gt(m, 7)), sympy.Eq(Mod(n + 1, 3), 0),
        sympy.Ne(FloorDiv(n - 5, 3) + 1, 1), sympy.Eq(FloorDiv(n + m - 1, m), 3),
    ]  # fmt: skip
    ranges = {n: (2, None), m: (2, 40)}
    dropped = 0
    for guards in itertools.chain(
        itertools.combinations(pools, 2), itertools.combinations(pools, 4)
    ):
        if hash(guards) % 3 and len(guards) == 4:
            continue
        kept = reduce_conditions([Condition(g) for g in guards], ranges)
        dropped += len(guards) > len(kept)
        for a, b in itertools.product(
            (2, 3, 4, 5, 7, 8, 9, 12, 16, 24, 29, 36), (2, 3, 4, 5, 8, 12)
        ):
            at = {n: sympy.Integer(a), m: sympy.Integer(b)}
            wanted = all(_true(g.xreplace(at)) for g in guards)
            assert all(_true(c.expression.subs(at)) for c in kept) == wanted, (guards, kept, a, b)
    assert dropped > 100


def test_what_is_padded_to_as_many_pieces_has_a_least_and_a_largest() -> None:
    """And means that: compared number by number, alone and beside another condition."""
    from torch.utils._sympy.functions import FloorDiv, Mod

    n = sympy.Symbol("n", integer=True, positive=True)
    padded = n + Mod(4 - Mod(n, 4), 4)
    pieces = [sympy.Eq(FloorDiv(padded, 4), number) for number in (1, 2, 5)]
    others = [sympy.true, sympy.Ge(n, 6), sympy.Ne(Mod(padded, 8), 0), sympy.Le(n, 19)]
    for piece, other in itertools.product([*pieces, sympy.Ne(FloorDiv(n, 3), 2)], others):
        kept = reduce_conditions([Condition(piece), Condition(other)], {n: (2, None)})
        is_plain = all(c.expression.lhs == n for c in kept)
        assert is_plain or piece not in pieces or isinstance(other, sympy.Ne)
        for number in range(2, 40):
            at = {n: sympy.Integer(number)}
            wanted = _true(piece.subs(at)) and _true(other.subs(at))
            assert all(_true(c.expression.subs(at)) for c in kept) == wanted, (piece, other)


def _true(condition: Any) -> bool:
    assert str(condition) in ("True", "False")
    return str(condition) == "True"


def test_a_name_that_the_model_fixes_is_refused_with_its_line() -> None:
    with pytest.raises(CaptureError, match="fixes it to 16") as caught:
        captured(lambda x: x.view(16, 3) + 1, (16, 3), dynamic={"x": {0: "n"}})
    assert "(n)" in caught.value.what


def test_two_names_of_one_size_are_refused_with_both() -> None:
    with pytest.raises(CaptureError, match="n and m cannot be dynamic as asked") as caught:
        captured(
            lambda x, y: torch.cat([x, y], 1),
            (3, 4),
            (3, 2),
            dynamic={"x": {0: "n"}, "y": {0: "m"}},
        )
    assert caught.value.hint == "Call both n: equal names are equal sizes."


@pytest.mark.parametrize(
    ("function", "least"),
    [
        (lambda x: x.relu(), 0),
        (lambda x: x.softmax(0), 0),
        (lambda x: x.amax(0), 1),
        (lambda x: x.squeeze(0), 2),
        (lambda x: x * 2 if x.shape[0] > 1 else x, 2),
        (lambda x: x * 2 if x.shape[0] > 0 else x, 1),
        (lambda x: x * 2 if x.shape[0] >= 3 else x, 3),
    ],
)
def test_the_least_size_is_one_that_the_graph_is_right_for(function: Any, least: int) -> None:
    (symbol,) = captured(function, (4, 3), dynamic={"x": {0: "n"}}).symbols
    assert symbol.min == least


def test_an_answer_that_may_be_made_up_leaves_no_guard() -> None:
    """A sum over few elements would be written otherwise for many, and is right for both."""
    found = captured(lambda x: x.mean(1), (4, 3), dynamic={"x": {1: "n"}})
    environment = torch_guards.shape_environment(found.graph_module)
    before = len(torch_guards.recorded_guards(environment))
    symbol = next(iter(found.names))
    with torch_guards.watched_sizes():
        assert not environment.evaluate_expr(symbol > 4096, fallback_value=False)
    assert len(torch_guards.recorded_guards(environment)) == before
