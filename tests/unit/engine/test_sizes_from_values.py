"""Sizes and numbers that tensors hold: what the model says of them is checked on every path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import ipy_fastcompile as fc
from ipy_fastcompile.engine.graph.stored_graph import serialized
from ipy_fastcompile.errors import CodegenError, InputError
from ipy_fastcompile.torch_compat import lazy_graphs


def attended(x: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(x[None], x[None], x[None])[0]


class Number(nn.Module):
    """What a tensor holds must be 5, and is used as a factor."""

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        k = n.item()
        torch._check(k == 5)
        return x.relu() * k


class Size(nn.Module):
    """What a tensor holds must be a size of another argument."""

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        k = n.item()
        torch._check(k == x.shape[0])
        return x.relu() * k, torch.arange(k) + 1


class SizeApart(nn.Module):
    """The size that it must be is known only behind attention."""

    def forward(self, x: torch.Tensor, n: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        k = n.item()
        torch._check(k >= 1)
        torch._check(k <= x.shape[0])
        torch._check(k == z.shape[0])
        return (attended(x[:k] * 2) + z).relu()


class Rows(nn.Module):
    """As many rows as a tensor says, through projections and heads; two kernels take the number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        k = n.item()
        torch._check(k >= 1)
        torch._check(k <= x.shape[0])
        q, key, v = self.qkv(x[:k]).view(1, k, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return functional.scaled_dot_product_attention(q, key, v).transpose(1, 2).reshape(k, 8)


def number(n: int) -> torch.Tensor:
    return torch.tensor(n)


@dataclass(frozen=True)
class Case:
    model: nn.Module
    example: tuple[Any, ...]
    dynamic: Any
    right: tuple[tuple[Any, ...], ...]
    refused: tuple[tuple[Any, ...], ...]
    words: str  # in the first refusal
    condition: str  # in the report


def x(n: int) -> torch.Tensor:
    return torch.randn(n, 8)


CASES = {
    "a number": Case(
        Number(), (x(2), number(5)), None, ((x(2), number(5)),), ((x(2), number(4)),),
        "u0 must be 5", "u0 is 5",
    ),
    "a size": Case(
        Size(), (x(3), number(3)), {"x": {0: "rows"}}, ((x(4), number(4)),),
        ((x(4), number(3)), (x(3), number(7))), "u0 must be rows", "u0 is rows",
    ),
    "a size behind attention": Case(
        SizeApart(), (x(6), number(3), x(3)), {"x": {0: "a"}, "z": {0: "b"}},
        ((x(6), number(4), x(4)),), ((x(6), number(4), x(3)), (x(6), number(3), x(4))),
        "u0 must be b", "u0 is at most a",
    ),
    "rows through attention": Case(
        Rows(), (x(6), number(3)), {"x": {0: "rows"}}, ((x(7), number(7)), (x(7), number(1))),
        ((x(7), number(8)), (x(7), number(-1)), (x(7), number(0))),
        "u0 must be at most", "u0 is at most rows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_model_says_of_numbers_in_tensors_is_checked_on_all_paths(
    name: str, tmp_path: Path
) -> None:
    case = CASES[name]
    model = case.model.eval()
    compiled = fc.compile(model, case.example, dynamic=case.dynamic)
    compiled.save(tmp_path / "a")
    functions: list[Callable[..., Any]] = [compiled]
    functions += [fc.load(tmp_path / "a", model, via=via) for via in ("native", "torch", "fx")]
    assert case.condition in [c.words for c in compiled.report.conditions]
    assert f"{case.condition} (depends on values" in compiled.execution_code
    for function in functions:
        for call in case.right:
            torch.testing.assert_close(function(*call), model(*call))
        for position, call in enumerate(case.refused):
            with pytest.raises(InputError) as caught:
                function(*call)
            assert position or case.words in caught.value.what


def test_what_cannot_be_stored_of_a_graph_names_its_node() -> None:
    graph = torch.fx.Graph()
    value = graph.placeholder("value")
    made = graph.call_function(torch.ops.aten.relu.default, (value,))
    made.meta["val"] = lambda: None
    graph.output((made,))
    graph_module = lazy_graphs.lazy_graph_module(nn.Module(), graph, "Graph")
    with pytest.raises(CodegenError, match="Node relu_default holds what cannot be stored"):
        serialized(graph_module)
