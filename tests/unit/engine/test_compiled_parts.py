"""Parts that `torch.compile` has wrapped are captured as the parts that they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.graph.boundaries import layer_boundaries, module_path
from ipy_fastcompile.errors import CaptureError

X = torch.ones(2, 4)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).relu()


def layered(fails: bool = False) -> Any:
    class Layered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(torch.compile(Layer()) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = x + layer(x)
            return x if not fails or x.sum() > 0 else -x

    return Layered().eval()


def test_layers_are_found_and_named_as_without_the_wrapper() -> None:
    model = layered()
    captured = capture(model, (X,))
    assert captured.parameters[0].name == "layers.0.linear.weight"
    nodes = [n for n in captured.graph_module.graph.nodes if n.op == "call_function"]
    assert [module_path(n) for n in nodes if "relu" in str(n.target)] == [
        f"layers.{i}" for i in range(3)
    ]
    assert len(layer_boundaries(nodes)) >= 3


@pytest.mark.parametrize("fails", [False, True])
def test_the_wrappers_are_there_afterwards(fails: bool) -> None:
    model = layered(fails)
    before = list(model.layers)
    if fails:
        with pytest.raises(CaptureError, match="branches on the values"):
            capture(model, (X,))
    else:
        capture(model, (X,))
    assert all(a is b for a, b in zip(before, model.layers, strict=True))


def test_hooks_of_a_wrapper_run() -> None:
    model = layered()
    model.layers[1].register_forward_hook(lambda module, args, output: output * 3)
    captured = capture(model, (X,))
    held = dict(model.named_parameters())
    values = [held[n] for n in held if n.endswith(("weight", "bias"))]
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        torch.testing.assert_close(captured.graph_module(*values, X)[0], model(X))
