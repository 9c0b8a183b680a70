"""What one kernel returns as the graph says, the next kernel does not look at again."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import GraphModule, Node

import ipy_fastcompile as fc
from ipy_fastcompile.engine.graph.exact import exact_outputs


class Stack(nn.Module):
    """What each piece hands on goes on beside the attention; the last piece has it from an op."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(x)
        for layer in self.layers:
            x = F.gelu(layer(F.scaled_dot_product_attention(x, x, x))) + x
        return x


def asserted(kernel: Any) -> list[int]:
    """The positions of inputs whose layout a native kernel asserts."""
    code = kernel.native.code
    (inputs,) = re.search(r"def \w+\((.*)\):", code).groups()  # type: ignore[union-attr]
    return [
        position
        for position, name in enumerate(inputs.split(", "))
        if f"assert_size_stride({name}, " in code
    ]


@pytest.mark.slow
def test_only_what_ops_return_is_looked_at_again() -> None:
    x = torch.randn(2, 6, 8)
    model = Stack().eval()
    made = fc.compile(model, (x,), dynamic={"x": {1: "n"}})
    lowered = made.lowered
    by_name = {lowered.split.submodules[n].name: k for k in lowered.kernels for n in k.submodules}
    looked, trusted = 0, 0
    for node in lowered.split.graph_module.graph.nodes:
        if node.op != "call_module" or node.target not in by_name:
            continue
        for position, value in enumerate(node.args):
            if not isinstance(value, Node) or not isinstance(value.meta.get("val"), Tensor):
                continue
            maker = value.args[0] if value.op == "call_function" else value
            checked = position in asserted(by_name[node.target])
            if isinstance(maker, Node) and maker.op == "call_module":
                if maker.target in by_name:
                    assert not checked, (node, value)
                    trusted += 1
                else:
                    assert checked, (node, value)
                    looked += 1
    assert looked == 4  # the attention of every layer
    assert trusted == 4  # what stands beside it
    for n in (2, 9):
        y = torch.randn(2, n, 8)
        torch.testing.assert_close(made(y), model(y))


def traced(function: Any, *args: Any) -> tuple[GraphModule, Any]:
    """A function at symbolic sizes, and its inputs."""
    from torch.fx.experimental.proxy_tensor import make_fx

    graph_module = make_fx(function, tracing_mode="symbolic")(*args)
    return graph_module, [n.meta["val"] for n in graph_module.graph.nodes if n.op == "placeholder"]


def test_strides_are_compared_as_expressions() -> None:
    graph_module, (x,) = traced(lambda x: (x + 1, x.mT + 1, x.sum(0, True)), torch.randn(3, 5))
    rows, columns = (str(size.node.expr) for size in x.shape)
    assert exact_outputs(graph_module, [(columns, "1"), ("1", columns), (columns, "1")]) == {
        0, 1, 2
    }  # fmt: skip
    assert exact_outputs(graph_module, [("1", rows), (columns, "1"), ("7", "1")]) == {2}
    # The example's numbers are not those of every size, and what cannot be read is not trusted.
    unread = f"f({columns}, 1)"
    assert exact_outputs(graph_module, [("5", "1"), None, (unread, "1")]) == frozenset()
    assert exact_outputs(graph_module, [("1",), ("1", columns, "1"), ("1",)]) == frozenset()
    assert exact_outputs(graph_module, [(columns, "1")]) == frozenset()


def test_what_is_handed_on_as_it_came_is_not_trusted() -> None:
    graph_module, (x,) = traced(lambda x: (x, x.view(-1), x + 1), torch.randn(3, 5))
    columns = str(x.shape[1].node.expr)
    assert exact_outputs(graph_module, [(columns, "1"), ("1",), (columns, "1")]) == {2}


@pytest.mark.slow
def test_a_convolution_that_lays_out_its_result_otherwise_gives_eagers_numbers() -> None:
    """Channels last goes in, and pieces hand on what Inductor's convolutions return."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            for conv in self.convs:
                y = torch.cat([conv(x), x], 1)[:, ::2]
                seen = F.scaled_dot_product_attention(*[y.flatten(2).mT] * 3)
                x = torch.relu(y) + seen.mT.unflatten(2, y.shape[2:])
            return x

    model = Model().eval().to(memory_format=torch.channels_last)
    x = torch.randn(2, 4, 6, 5).contiguous(memory_format=torch.channels_last)
    made = fc.compile(model, (x,), dynamic={"x": {0: "b", 2: "h"}})
    for shape in ((2, 4, 6, 5), (3, 4, 9, 5)):
        y = torch.randn(shape).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(made(y), model(y), rtol=1e-4, atol=1e-5)
