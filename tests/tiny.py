"""A model small enough to compile in a test, with the parts of a real one."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipy_fastcompile.engine.graph.boundaries import SplitReason


class TinyLayer(nn.Module):
    """Attention with one head, and a projection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + F.gelu(self.out(mixed))


class TinyTransformer(nn.Module):
    """Embedding, two equal layers, and a dict as output."""

    def __init__(self, width: int = 32, vocabulary: int = 64) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(TinyLayer(width) for _ in range(2))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return {"logits": self.head(x), "state": torch.tanh(x)}


def another(compiled: Any) -> Any:
    """A compiled model with the same parts: it lets nobody copy it, and tests change theirs."""
    fresh = object.__new__(type(compiled))
    vars(fresh).update(vars(compiled))
    return fresh


def everything(_: Any) -> SplitReason:
    """Inline every node: nothing has to be compiled."""
    return SplitReason("test")
