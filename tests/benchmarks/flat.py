"""A model and a cache -> the same on tensors alone, for what knows no caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class Flat(torch.nn.Module):
    """A causal model that takes the tensors of a cache, and returns the logits and new ones."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, held: Sequence[torch.Tensor] = ()
    ) -> tuple[torch.Tensor, ...]:
        from transformers import DynamicCache

        cache = DynamicCache()
        for index in range(len(held) // 2):
            cache.update(held[2 * index], held[2 * index + 1], index)
        found = self.model(input_ids=input_ids, past_key_values=cache)
        return (found.logits, *tensors(found.past_key_values))


def tensors(cache: Any) -> list[torch.Tensor]:
    """Keys and values of every layer, in order."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


def grow(cache: Any, held: Sequence[torch.Tensor]) -> None:
    """Put other tensors into a cache."""
    for index, layer in enumerate(cache.layers):
        layer.keys, layer.values = held[2 * index], held[2 * index + 1]
