"""A mask of truth values that attentions share becomes numbers once, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ipy_fastcompile.engine.calls.capture import capture

SEEN = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


class Layers(nn.Module):
    """Attentions with one mask; what is done with the mask between them is ``between``."""

    def __init__(self, between: Any = lambda mask: mask, count: int = 3) -> None:
        super().__init__()
        self.between = between
        self.count = count

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mask = mask & torch.ones_like(mask).tril()
        for _ in range(self.count):
            x = F.scaled_dot_product_attention(x, x, x, mask, scale=0.5) + x
            mask = self.between(mask)
        return x


class _Given(TorchDispatchMode):
    """The masks that the kernels of attention are given."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[Tensor] = []
        self.conversions = 0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if op is SEEN:
            self.masks.append((kwargs or {})["attn_mask"])
        self.conversions += op.overloadpacket is torch.ops.aten.where
        return op(*args, **(kwargs or {}))


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 4, 6, 8).to(dtype), torch.rand(2, 1, 6, 6) > 0.3


def run(model: Any, *args: Any) -> tuple[Any, _Given]:
    with torch.no_grad(), _Given() as given:
        return model(*args), given


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_kernel_of_attention_is_given_what_eager_gives_it(dtype: torch.dtype) -> None:
    model, args = Layers().eval(), inputs(dtype)
    graph = capture(model, args, dynamic={"x": {2: "n"}, "mask": {2: "n", 3: "n"}}).graph_module
    (made,) = (n for n in graph.graph.nodes if n.target is torch.ops.aten.where.ScalarSelf)
    assert made.name == f"{made.args[0].name}_as_numbers"
    for rows in (slice(6), slice(4)):
        x, mask = args[0][:, :, rows], args[1][:, :, rows, rows]
        expected, eager = run(model, x, mask)
        (found,), ours = run(graph, x, mask)
        assert torch.equal(found, expected)  # rows that see nothing are among them
        assert (ours.conversions, eager.conversions) == (1, 3)
        assert len(ours.masks) == len(eager.masks) == 3
        for one, other in zip(ours.masks, eager.masks, strict=True):
            assert torch.equal(one, other)
            assert (one.dtype, one.stride()) == (other.dtype, other.stride())


def test_a_mask_given_by_name_is_one_as_well() -> None:
    class Named(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            for _ in range(2):
                x = F.scaled_dot_product_attention(x, x, x, attn_mask=mask)
            return x

    args = inputs()
    graph = capture(Named(), args).graph_module
    (found,), ours = run(graph, *args)
    assert ours.conversions == 1
    assert torch.equal(found, run(Named(), *args)[0])


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Layers(count=1), "one attention converts it once anyway"),
        (Layers(lambda mask: mask.clone()), "each has its own"),
        (Layers(lambda mask: mask.logical_not_()), "it is written to in between"),
        (Layers(lambda mask: mask.transpose(2, 3)), "they see it in other layouts"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_attentions_do_not_share_a_mask_the_graph_stays(model: nn.Module, why: str) -> None:
    args = inputs()
    graph = capture(model.eval(), args).graph_module
    (found,), ours = run(graph, *args)
    expected, eager = run(model, *args)
    assert torch.equal(found, expected), why
    assert ours.conversions == eager.conversions


def test_an_expanded_mask_is_left_to_attention() -> None:
    """Its numbers would be as many as it has elements, not as it has memory."""

    class Wide(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            mask = mask[:1].expand(2, 1, 6, 6)
            for _ in range(2):
                x = F.scaled_dot_product_attention(x, x, x, mask)
            return x

    args = inputs()
    graph = capture(Wide(), args).graph_module
    (found,), ours = run(graph, *args)
    expected, eager = run(Wide(), *args)
    assert torch.equal(found, expected)
    assert ours.conversions == eager.conversions == 2
