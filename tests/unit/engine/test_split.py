"""Splitting: where the cuts are, why, and what stays in the stitching graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.graph.boundaries import SplitReason, op_name
from ipy_fastcompile.engine.graph.split import split
from ipy_fastcompile.engine.graph.twins import describe, first_difference


class Layer(nn.Module):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).relu() * self.scale


class Stack(nn.Module):
    def __init__(self, scales: tuple[float, ...] = (2.0, 2.0, 2.0)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(s) for s in scales)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + 1
        for layer in self.layers:
            x = layer(x)
        return x.tanh()


def run(graph: Any, model: nn.Module, *inputs: torch.Tensor) -> Any:
    """The split graph, run as it is, on the model's own tensors."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    weights = [tensors[p.name] for p in graph.captured.parameters]
    return graph.graph_module(*weights, *inputs)


def test_repeated_layers_are_the_boundaries_without_splitting_ops() -> None:
    torch.manual_seed(0)
    model = Stack()
    x = torch.randn(2, 4)
    graph = split(capture(model, (x,)))
    assert [str(s.reason) for s in graph.submodules] == [
        "start",
        "repeated layer Layer layers.0",
        "repeated layer Layer layers.1",
        "repeated layer Layer layers.2",
        "repeated layer end of Layer layers.2",
    ]
    assert [s.module_path for s in graph.submodules[1:4]] == ["layers.0", "layers.1", "layers.2"]
    with torch.no_grad():
        torch.testing.assert_close(run(graph, model, x)[0], model(x))


def test_layers_that_share_nothing_are_left_whole_and_the_graph_says_so() -> None:
    model, x = Stack((1.0, 2.0, 3.0, 1.5)), torch.randn(2, 4)
    graph = split(capture(model, (x,)))
    assert [str(s.reason) for s in graph.submodules] == ["start"]
    assert graph.note == (
        "Not cut at its repeated layers (Layer): no two of them would share a kernel. "
        "Two do the same but for node mul_1: float 2.0 instead of float 1.0."
    )
    with torch.no_grad():
        torch.testing.assert_close(run(graph, model, x)[0], model(x))


def test_a_cut_is_beside_a_layer_that_shares_its_kernel() -> None:
    model, x = Stack((1.0, 2.0, 5.0, 5.0, 3.0, 4.0)), torch.randn(2, 4)
    graph = split(capture(model, (x,)))
    assert [str(s.reason) for s in graph.submodules] == [
        "start",
        "repeated layer Layer layers.2",
        "repeated layer Layer layers.3",
        "repeated layer Layer layers.4",
    ]
    assert graph.note == (
        "Cut at its repeated layers (Layer) only where two of them share a kernel."
    )
    twins = [describe(s.graph_module).digest for s in graph.submodules[1:3]]
    assert twins[0] == twins[1]
    with torch.no_grad():
        torch.testing.assert_close(run(graph, model, x)[0], model(x))


def test_attention_is_a_splitting_op_and_inlined(tiny_model: Any, tiny_ids: Any) -> None:
    graph = split(capture(tiny_model, (tiny_ids,), dynamic={"ids": {1: "seq"}}))
    inlined = [s for s in graph.submodules if s.inlined]
    assert len(inlined) == 2
    assert all(s.reason.detail == "aten::scaled_dot_product_attention" for s in inlined)
    assert all(s.n_nodes == 1 for s in inlined)


@pytest.mark.parametrize(
    "name", ["aten::relu", "aten.relu", "aten::relu.default", "aten.relu.default"]
)
def test_any_op_splits_by_name(name: str) -> None:
    graph = split(capture(Stack(), (torch.ones(2, 4),)), [name])
    assert sum(s.inlined for s in graph.submodules) == 3


def test_an_op_that_is_not_there_gets_near_names() -> None:
    with pytest.raises(errors.SplitError, match="aten::relu"):
        split(capture(Stack(), (torch.ones(2, 4),)), ["aten::relou"])


def test_a_function_decides() -> None:
    def at_tanh(node: torch.fx.Node) -> SplitReason | None:
        return SplitReason("mine", "because") if op_name(node) == "aten::tanh" else None

    graph = split(capture(Stack(), (torch.ones(2, 4),)), at_tanh)
    assert [str(s.reason) for s in graph.submodules] == ["start", "mine because"]


def test_a_function_that_answers_something_else_is_refused() -> None:
    with pytest.raises(errors.SplitError, match="SplitReason"):
        split(capture(Stack(), (torch.ones(2, 4),)), lambda node: True)  # type: ignore[arg-type,return-value]


def test_no_layers_and_no_ops_is_one_submodule() -> None:
    graph = split(capture(Layer(), (torch.ones(2, 4),)))
    assert len(graph.submodules) == 1


def test_sizes_stay_in_the_stitching_graph() -> None:
    class Positions(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.relu().sum() + torch.arange(x.size(0) * 2 + 1).relu().sum()

    graph = split(
        capture(Positions(), (torch.ones(5),), dynamic={"x": {0: "rows"}}), ["aten::relu"]
    )
    stitched = [n for n in graph.graph_module.graph.nodes if n.op == "call_function"]
    assert any(n.target is torch.ops.aten.sym_size.int for n in stitched)
    torch.testing.assert_close(
        run(graph, Positions(), torch.ones(7))[0], Positions()(torch.ones(7))
    )


def test_it_prints() -> None:
    text = str(split(capture(Stack(), (torch.ones(2, 4),))))
    assert "Stack: 5 submodules" in text
    assert "repeated layer Layer layers.1" in text


# --- twins ---------------------------------------------------------------------------------------


def test_layers_of_the_same_ops_and_shapes_are_twins() -> None:
    graph = split(capture(Stack(), (torch.ones(2, 4),)))
    digests = [describe(s.graph_module).digest for s in graph.submodules]
    assert len(set(digests[1:4])) == 1
    assert len(set(digests)) == 3


def test_a_baked_in_constant_makes_near_twins_and_is_named() -> None:
    graph = split(capture(Stack((2.0, 2.0, 3.0, 3.0)), (torch.ones(2, 4),)))
    one, two, three = (describe(s.graph_module) for s in graph.submodules[1:4])
    assert one.digest == two.digest != three.digest
    assert first_difference(one, three) == ("mul", "float 2.0", "float 3.0")
    assert first_difference(one, two) is None
    assert first_difference(one, describe(graph.submodules[0].graph_module)) is None


def test_inputs_that_share_storage_are_no_twins_of_those_that_do_not() -> None:
    class Halves(nn.Module):
        def __init__(self, shared: bool) -> None:
            super().__init__()
            self.shared = shared

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.relu()
            z = y.view(-1) if self.shared else (y * 1).view(-1)
            w = y.tanh()
            return y.add_(1).view(-1) + z + w.view(-1)

    found = {}
    for shared in (True, False):
        graph = split(capture(Halves(shared), (torch.ones(3, 2),)), ["aten::tanh"])
        lines = describe(graph.submodules[-1].graph_module).lines
        found[shared] = any(" shares %" in line for line in lines)
    assert found == {True: True, False: False}
