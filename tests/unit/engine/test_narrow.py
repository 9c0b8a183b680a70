"""Recorded calls of one kind that one graph cannot serve become several programs."""

from __future__ import annotations

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.calls.kinds import Kind
from ipy_fastcompile.engine.calls.narrow import graphs_of


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


class Counted:
    """A row, and a number beside it."""

    def __init__(self, length: int, count: int) -> None:
        self.row = torch.ones(2, length)
        self.count = count


class Step(torch.nn.Module):
    """Counts with its argument, and does another thing once that is full."""

    def forward(self, held: Counted) -> torch.Tensor:
        held.count += 1
        scale = held.count if held.count > held.row.shape[1] else 1
        return held.row.sum(1) * scale


class Batched(torch.nn.Module):
    """Is of one graph for every batch, or of another for a batch of 1."""

    def __init__(self, is_other: bool) -> None:
        super().__init__()
        self.is_other = is_other

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(0) if self.is_other and x.shape[0] == 1 else x * 2


def kind_of(*lengths: int, rest: int = 0, dynamic: str | None = None) -> Kind:
    module = Window()
    with fc.record(module, dynamic=dynamic) as calls:
        for length in lengths:
            module(torch.randn(2, length), *[torch.randn(2)] * rest)
    (kind,) = calls
    return kind


def graphs(kind: Kind, module: torch.nn.Module | None = None) -> list[tuple[Kind, Captured]]:
    return graphs_of(
        kind,
        lambda part: capture(
            module or Window(), part.args, part.kwargs, dynamic=part.dynamic, loose=part.loose
        ),
    )


@pytest.mark.parametrize("rest", [0, 1])
def test_calls_on_the_other_side_of_a_condition_are_a_kind_of_their_own(rest: int) -> None:
    (kind, _), (other, _) = graphs(kind_of(3, 12, 5, 9, rest=rest))
    assert (kind.name, other.name, other.count) == ("call_0", "call_0.2", 2)
    assert set(other.seen.rows) == {(2, 12, *[2] * rest), (2, 9, *[2] * rest)}
    assert other.args[0].shape == (2, 12)
    assert other.dynamic == kind.dynamic == {"x": {1: "x_length"}}


def test_calls_that_a_graph_serves_are_no_further_kind() -> None:
    assert len(graphs(kind_of(3, 4, 5))) == 1


def test_an_example_that_is_made_repeats_what_the_recorded_one_holds() -> None:
    (kind, _), (other, graph) = graphs(kind_of(3, 12))
    assert torch.equal(other.args[0], kind.args[0].repeat(1, 4))
    # What varied in all calls of the kind varies in each of its graphs.
    assert [(symbol.name, symbol.min) for symbol in graph.symbols] == [("x_length", 8)]


def test_there_is_an_end_to_it() -> None:
    module = Steps()
    with fc.record(module) as calls:
        for steps in range(2, 10):
            module(torch.ones(2), steps)
    with pytest.warns(errors.FastCompileWarning, match="2 calls like call_0 are not compiled"):
        parts = [part for part, _ in graphs(calls[0], module)]
    assert [part.name for part in parts] == ["call_0", *(f"call_0.{n}" for n in range(2, 7))]
    assert [part.args[1] for part in parts] == [2, 9, 8, 7, 6, 5]


def test_a_number_that_no_graph_takes_as_a_size_is_fixed_to_each_of_its_values() -> None:
    def capture_fixed(part: Kind) -> Captured:
        if part.dynamic:
            raise errors.CaptureError("It takes no size.", "Leave it out.")
        return capture(Steps(), part.args, part.kwargs)

    module = Steps()
    with fc.record(module) as calls:
        for steps in (2, 3, 3):
            module(torch.ones(2), steps)
    found = [part for part, _ in graphs_of(calls[0], capture_fixed)]
    assert [(part.name, part.args[1], part.count) for part in found] == [
        ("call_0", 2, 3),
        ("call_0.2", 3, 2),
    ]
    with pytest.raises(errors.CaptureError, match="It takes no size"):
        graphs_of(kind_of(3, 5), capture_fixed)


def test_what_was_seen_to_vary_may_be_one_size_or_fixed_on_one_side() -> None:
    module = Step()
    with fc.record(module) as calls:
        for length, count in ((3, 3), (4, 4), (5, 5), (5, 2), (5, 3)):
            module(Counted(length, count))
    (kind,) = calls
    assert len(set(kind.names.values())) == 2
    found = graphs(kind, module)
    assert [part.name for part, _ in found] == ["call_0", "call_0.2"]


def test_what_the_user_asks_for_is_refused_where_the_model_fixes_it() -> None:
    steps = Steps()
    with fc.record(steps) as calls:
        for n in (2, 3):
            steps(torch.ones(2), n)
    asked = calls.with_dynamic({"steps": "steps"})
    with pytest.raises(errors.CaptureError, match="fixes it to 2"):
        graphs(asked[0], steps)


def test_sizes_beyond_what_was_seen_are_tried_with_auto() -> None:
    (kind, one), (other, two) = graphs(kind_of(5, dynamic="auto"))
    assert [(s.min, s.max) for s in one.symbols if s.name == "x_length"] == [(0, 7)]
    assert [(s.min, s.max) for s in two.symbols if s.name == "x_length"] == [(8, None)]
    assert (kind.count, other.count) == (1, 0)
    assert len(graphs(kind_of(5))) == 1


def test_a_batch_of_1_is_tried_at_2_with_auto() -> None:
    module = Batched(is_other=False)
    with fc.record(module, dynamic="auto") as calls:
        module(torch.ones(1, 3))
    assert calls[0].args[0].shape == (2, 3)
    assert "batch: 1, tried at 2" in str(calls)
    ((_, graph),) = graphs(calls[0], module)
    assert (graph.symbols[0].name, graph.symbols[0].min) == ("batch", 0)


def test_a_batch_of_1_that_is_another_graph_stays_1_and_the_report_says_so() -> None:
    module = Batched(is_other=True)
    with fc.record(module, dynamic="auto") as calls:
        module(torch.ones(1, 3))
    ((part, graph),) = graphs(calls[0], module)
    assert part.args[0].shape == (1, 3)
    (note,) = graph.notes
    assert note == (
        "A size that was 1 stays 1 in call_0. The graph of 2 serves none of the calls that were "
        "seen."
    )


def test_a_size_that_varied_varies_in_a_part_that_has_it_at_1_only() -> None:
    module = Window()
    with fc.record(module) as calls:
        for batch, length in ((3, 5), (1, 9)):
            module(torch.ones(batch, length))
    spans = [{s.name: (s.min, s.max) for s in graph.symbols} for _, graph in graphs(calls[0])]
    assert spans == [
        {"batch": (0, None), "x_length": (0, 7)},
        {"batch": (0, None), "x_length": (8, None)},
    ]


def test_a_batch_of_1_stays_where_another_tensor_says_otherwise() -> None:
    module = Window()
    with fc.record(module, dynamic="auto") as calls:
        module(torch.ones(1, 3), torch.ones(2, 1))
    assert calls[0].args[0].shape == (1, 3)


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
