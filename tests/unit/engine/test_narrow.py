"""Recorded calls of one kind that one graph cannot serve become several programs."""

from __future__ import annotations

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.kinds import Kind
from ipy_fastcompile.engine.calls.narrow import by_numbers, not_served


class Window(torch.nn.Module):
    """Does another thing once there is more than fits its window."""

    def forward(self, x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        if x.shape[1] < 8:
            return x.sum(1) + sum(rest)
        return x[:, -8:].sum(1) * 2 + sum(rest)


class Steps(torch.nn.Module):
    """Makes another graph for each number of steps."""

    def forward(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        for _ in range(steps):
            x = x.sin()
        return x


def kind_of(*lengths: int, rest: int = 0) -> Kind:
    module = Window()
    with fc.record(module) as calls:
        for length in lengths:
            module(torch.randn(2, length), *[torch.randn(2)] * rest)
    (kind,) = calls
    return kind


def captured(kind: Kind) -> object:
    return capture(Window(), kind.args, kind.kwargs, dynamic=kind.dynamic)


@pytest.mark.parametrize("rest", [0, 1])
def test_calls_on_the_other_side_of_a_condition_are_a_kind_of_their_own(rest: int) -> None:
    kind = kind_of(3, 12, 5, 9, rest=rest)
    (other,) = not_served(kind, captured(kind))
    assert (other.name, other.count) == ("call_0.2", 2)
    assert set(other.seen.rows) == {(2, 12, *[2] * rest), (2, 9, *[2] * rest)}
    assert other.args[0].shape == (2, 12)
    assert other.dynamic == kind.dynamic == {"x": {1: "x_1"}}
    assert not_served(other, captured(other)) == []


def test_calls_that_a_graph_serves_are_no_further_kind() -> None:
    kind = kind_of(3, 4, 5)
    assert not_served(kind, captured(kind)) == []


def test_an_example_that_is_made_repeats_what_the_recorded_one_holds() -> None:
    kind = kind_of(3, 12)
    (other,) = not_served(kind, captured(kind))
    assert torch.equal(other.args[0], kind.args[0].repeat(1, 4))
    assert other.dynamic is None


def test_there_is_an_end_to_it() -> None:
    module = Steps()
    with fc.record(module) as calls:
        for steps in range(2, 9):
            module(torch.ones(2), steps)
    with pytest.warns(errors.FastCompileWarning, match="call like call_0 is not compiled"):
        parts = by_numbers(calls[0])
    assert [part.name for part in parts] == ["call_0", *(f"call_0.{n}" for n in range(2, 7))]
    assert [part.args[1] for part in parts] == [2, 3, 4, 5, 6, 7]
    assert by_numbers(kind_of(3, 5)) == []


@pytest.mark.slow
def test_both_sides_are_programs_of_one_artifact() -> None:
    module = Window()
    with fc.record(module) as calls:
        for length in (3, 12, 5, 9):
            module(torch.randn(2, length))
    compiled = fc.compile(module, calls=calls, check=True)
    assert [program.name for program in compiled.programs] == ["call_0", "call_0.2"]
    for length in (2, 7, 8, 20):
        x = torch.randn(2, length)
        torch.testing.assert_close(compiled(x), module(x))
