"""A call is timed beside eager in turn, on copies, and the model is left as it was."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile.engine.calls.unharmed import keep
from ipy_fastcompile.verification.timed import spread_of, spreads_of, time_beside_eager


class Counts(nn.Module):
    """Writes to a buffer and to its argument, and takes a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.seconds = seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        time.sleep(self.seconds)
        return x.mul_(2)


def timed(compiled: Any, eager: Any, x: torch.Tensor, **options: Any) -> Any:
    return time_beside_eager(compiled, eager, (x,), {}, keep(eager), **options)


def test_the_slower_one_is_slower_in_every_number() -> None:
    found = timed(Counts(0.02), Counts(0.005), torch.ones(2))
    assert found.compiled.median >= 0.02 > found.eager.median >= 0.005
    assert found.ratio.low > 1
    assert 3 <= found.runs <= 15
    assert found.measured
    assert found.machine


def test_the_model_and_its_arguments_are_left_as_they_were() -> None:
    model, x = Counts(0.0), torch.ones(2)
    timed(model, model, x, runs=4)
    assert model.calls.item() == 0
    assert torch.equal(x, torch.ones(2))


def test_a_comparison_that_nobody_asked_for_ends_soon() -> None:
    began = time.perf_counter()
    found = timed(Counts(0.1), Counts(0.1), torch.ones(2))
    assert found.runs == 3
    assert time.perf_counter() - began < 2


def test_as_many_turns_are_taken_as_are_asked_for() -> None:
    assert timed(Counts(0.0), Counts(0.0), torch.ones(2), runs=20).runs == 20


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    spread = spread_of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (spread.low, spread.median, spread.high) == (2.0, 3.0, 4.0)
    one = spread_of([0.5])
    assert (one.low, one.median, one.high) == (0.5, 0.5, 0.5)


def test_a_ratio_is_of_the_two_of_a_turn() -> None:
    _, _, ratio = spreads_of([2.0, 4.0, 6.0], [1.0, 1.0, 2.0])
    assert (ratio.low, ratio.median, ratio.high) == pytest.approx((2.5, 3.0, 3.5))
