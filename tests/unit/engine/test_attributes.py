"""What somebody put on a tensor decides in a compile what it decides in eager."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.cache.key.call import make_key
from ipy_fastcompile.engine.calls.attributes import attributes_of
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.errors import CaptureError


class Marked(nn.Module):
    """It multiplies by what is on its parameter, and by two where its input is special."""

    def __init__(self, scale: float = 3.0) -> None:
        super().__init__()
        self.weight: Any = nn.Parameter(torch.ones(4))
        self.weight.scale = scale
        self.bias: Any
        self.register_buffer("bias", torch.ones(4))
        self.bias.kind = "added"

    def forward(self, x: Any) -> Any:
        y = x * self.weight * getattr(self.weight, "scale", 1.0)
        if getattr(self.bias, "kind", "") == "added":
            y = y + self.bias
        return y * 2 if getattr(x, "special", False) else y


def special(value: bool = True) -> Any:
    x: Any = torch.arange(4.0)
    x.special = value
    return x


@pytest.mark.slow
def test_attributes_of_arguments_and_parameters_decide_as_in_eager() -> None:
    model, x = Marked(), special()
    compiled = fc.compile(model, (x,), check=True)
    torch.testing.assert_close(compiled(x), model(x))
    assert compiled.report.max_error == 0.0
    assert vars(x) == {"special": True}
    (note,) = compiled.report.notes
    assert note.startswith("The graph is that of a call whose x has special=True")


@pytest.mark.parametrize("value", [True, False])
def test_the_graph_is_that_of_the_example(value: bool) -> None:
    graph = capture(Marked(), (special(value),)).graph_module.graph
    products = [n for n in graph.nodes if "aten.mul" in str(n.target)]
    assert len(products) == (3 if value else 2)


def test_what_torch_marks_is_nobodys() -> None:
    x = torch.ones(4)
    torch._dynamo.mark_dynamic(x, 0, max=8)
    assert vars(x)
    assert attributes_of(x) == {}


def test_attributes_are_in_the_key_of_the_cache() -> None:
    def key(model: nn.Module, x: Any) -> str:
        return str(make_key(model, (x,)).key)

    assert key(Marked(), special()) == key(Marked(), special())
    others = {key(Marked(), special()), key(Marked(), special(False)), key(Marked(2.0), special())}
    assert len({*others, key(Marked(), torch.arange(4.0))}) == 4


def test_a_quantized_tensor_inside_is_refused_with_its_line() -> None:
    class Quantizes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8).dequantize()

    with pytest.raises(CaptureError, match=r"makes a quantized tensor \(.*test_attributes.py"):
        capture(Quantizes(), (torch.ones(4),))
