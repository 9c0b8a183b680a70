"""A range says where its lower bound comes from: the user, a line of the model, or torch.export."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.records import Source, Symbol
from ipy_fastcompile.show.facts import report_facts
from tests.unit.show.sample import sample_report

X = torch.ones(3, 8, 5)


class Needs(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] > 4:  # needed
            return x[:, :4] + 1
        return x


class Asks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] == 1:  # asked
            return x - 1
        return x * 2


class Squeezes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(1) * 2


class Takes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


CONSTANTS = "torch.export makes 0 and 1 constants, and "


@pytest.mark.parametrize(
    ("model", "wish", "least", "why", "line"),
    [
        (Needs(), "auto", 5, "the model needs it", "# needed"),
        (Asks(), "auto", 2, f"{CONSTANTS}the model asks about 1", "# asked"),
        (Asks(), {"x": {1: "seq"}}, 2, f"{CONSTANTS}the model asks about 1", "# asked"),
        (Asks(), {"x": {1: ("seq", 3, 64)}}, 3, "as asked", ""),
        (Squeezes(), "auto", 2, f"{CONSTANTS}at 1 an op has another shape", ""),
        (Takes(), {"x": {1: ("seq", 4, None)}}, 4, "as asked", ""),
    ],
)
def test_a_lower_bound_says_where_it_comes_from(
    model: nn.Module, wish: Any, least: int, why: str, line: str
) -> None:
    names = ("x_length", "seq")
    (symbol,) = [s for s in capture(model, (X,), {}, dynamic=wish).symbols if s.name in names]
    assert (symbol.min, symbol.why) == (least, why)
    assert (symbol.source is not None) == bool(line)
    assert line in (symbol.source.text if symbol.source else "")
    assert symbol.source is None or symbol.source.file == __file__


def test_a_size_that_may_be_anything_has_no_reason() -> None:
    symbols = capture(Takes(), (X,), {}, dynamic="auto").symbols
    assert [(s.name, s.min, s.why) for s in symbols] == [
        ("x_batch", 0, ""),
        ("x_length", 0, ""),
        ("x_features", 0, ""),
    ]


def test_a_report_tells_it_beside_the_range() -> None:
    source = Source("/home/me/model.py", 12, "forward", "if n > 1:")
    symbols = (
        Symbol("seq", 2, 64, 8, "the model asks about 1", source),
        Symbol("past", 5, None, 9, "as asked"),
        Symbol("batch", 1, None, 3, "an op has another shape at 0"),
    )
    facts = "\n".join(report_facts(replace(sample_report(1), symbols=symbols)))
    seq = "2 \u2264 seq \u2264 64 (example 8; 2 since the model asks about 1 at model.py:12)"
    past = "5 \u2264 past (example 9; 5 as asked)"
    assert f"sizes: {seq}, {past}, 1 \u2264 batch (example 3)" in facts
