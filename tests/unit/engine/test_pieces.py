"""A size that is padded to whole pieces has a graph for each number of pieces, of plain sizes."""

from __future__ import annotations

import itertools
import operator

import pytest
import sympy
import torch
from torch import nn
from torch.nn import functional
from torch.utils._sympy.functions import FloorDiv, PythonMod

import ipy_fastcompile as fc
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.calls.narrow import graphs_of
from ipy_fastcompile.engine.sizes.proofs import simplified
from ipy_fastcompile.errors import InputError
from ipy_fastcompile.torch_compat import symbolic


class Chunked(nn.Module):
    """Goes through its rows in chunks of 4, the last one padded, as gated delta rules do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padding = self.padding(x.shape[1])
        chunks = functional.pad(x, (0, padding)).reshape(x.shape[0], -1, 4)
        state = torch.zeros_like(chunks[:, 0])
        for i in range((x.shape[1] + padding) // 4):
            state = state * 0.5 + chunks[:, i]
        return state

    def padding(self, length: int) -> int:
        return (4 - length % 4) % 4


class Negated(Chunked):
    """Says it in Python's shorter way."""

    def padding(self, length: int) -> int:
        return -length % 4


class Up(Chunked):
    """Says it by the number of chunks."""

    def padding(self, length: int) -> int:
        return (length + 3) // 4 * 4 - length


class Guarded(Chunked):
    """Catches every error of its loop."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        try:
            return super().forward(x)
        except Exception:  # noqa: BLE001 - as such a model does
            return x


class Summed(Chunked):
    """Pads to chunks, and asks nobody how many there are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x, (0, self.padding(x.shape[1])), value=1.0).sum(1)


def captured(model: nn.Module, length: int) -> Captured:
    return capture(model, (torch.randn(2, length),), dynamic={"x": {1: "n"}})


@pytest.mark.parametrize("kind", [Chunked, Negated, Up, Guarded])
@pytest.mark.parametrize(
    ("length", "least", "most"), [(3, 2, 4), (4, 2, 4), (6, 5, 8), (12, 9, 12)]
)
def test_a_graph_is_of_the_sizes_of_as_many_chunks_and_divides_nothing(
    kind: type[Chunked], length: int, least: int, most: int
) -> None:
    found = captured(kind(), length)
    (symbol,) = found.symbols
    assert (symbol.min <= least, symbol.max) == (True, most)
    assert list(found.pieces.values()) == [(least if least > 2 else 0, most)]
    nodes = found.graph_module.graph.nodes
    assert not [n for n in nodes if n.target in (operator.mod, operator.floordiv)]
    for size in range(least, most + 1):
        x = torch.randn(2, size)
        torch.testing.assert_close(found.graph_module(x)[0], kind()(x))


def test_the_line_that_needs_as_many_is_said() -> None:
    found = captured(Chunked(), 6)
    above = [c for c in found.conditions if isinstance(c.expression, sympy.Le)]
    assert [c.source.text for c in above if c.source] == [
        "for i in range((x.shape[1] + padding) // 4):"
    ]


def test_where_nothing_depends_on_their_number_one_graph_is_of_all_sizes() -> None:
    found = captured(Summed(), 6)
    assert (found.symbols[0].max, found.pieces) == (None, {})
    for size in (2, 4, 5, 9):
        x = torch.randn(2, size)
        torch.testing.assert_close(found.graph_module(x)[0], Summed()(x))


def test_recorded_sizes_have_a_graph_for_each_number_of_chunks_and_no_others_are_made_up() -> None:
    model = Chunked()
    with fc.record(model, dynamic="auto") as calls:
        for length in (6, 3, 7):
            model(torch.randn(2, length))
    (kind,) = calls
    graphs = graphs_of(
        kind,
        lambda part: capture(model, part.args, part.kwargs, dynamic=part.dynamic, loose=part.loose),
    )
    ranges = [next(s for s in g.symbols if s.name != "batch") for _, g in graphs]
    assert sorted((r.min, r.max) for r in ranges) == [(1, 4), (5, 8)]


@pytest.mark.slow
def test_a_compiled_one_is_right_at_both_ends_and_refuses_the_next_piece() -> None:
    model = Chunked()
    compiled = fc.compile(model, (torch.randn(2, 6),), dynamic={"x": {1: "n"}})
    for size in (5, 6, 8):
        x = torch.randn(2, size)
        torch.testing.assert_close(compiled(x), model(x))
    with pytest.raises(InputError, match="has size 9, which is more than 8"):
        compiled(torch.randn(2, 9))


def test_a_remainder_of_a_remainder_is_done_where_it_has_one_value() -> None:
    """Compared number by number."""
    n = sympy.Symbol("n", integer=True, positive=True)
    ranges = itertools.combinations_with_replacement((1, 3, 4, 5, 8, 9), 2)
    forms = (
        *((4, 4, -1, 4), (8, 4, -1, 4), (4, 8, -1, 8), (6, 4, -2, 12), (4, 3, 1, 1)),
        *((8, 4, 3, 2), (2, 4, -2, 8)),
    )
    done = 0
    for (inner, outer, factor, plus), (low, high) in itertools.product(forms, ranges):
        padded = PythonMod(plus + factor * PythonMod(n, inner), outer)
        for expression in (padded, FloorDiv(n + padded, outer)):
            found = simplified(expression, {n: (low, high)})
            done += not found.atoms(sympy.Function)
            for size in range(low, high + 1):
                at = {n: sympy.Integer(size)}
                assert found.subs(at) == expression.subs(at), (expression, low, high)
    assert done > 84  # more than those whose range is one number


def test_torch_divides_sizes_as_before_when_they_are_captured() -> None:
    found = captured(Chunked(), 6)
    x = next(n.meta["val"] for n in found.graph_module.graph.nodes if n.op == "placeholder")
    assert symbolic.symbolic_expression(x.shape[1] % 9 // 2).atoms(sympy.Function)
