"""SplitGraph -> the bytes of intermediate values that cross each of its boundaries."""

from __future__ import annotations

from typing import Any

import torch

from ..engine.graph.split import SplitGraph
from ..engine.sizes.expressions import example_of
from ..torch_compat import symbolic, tensor_kinds


def bytes_across(split: SplitGraph) -> list[int]:
    """For each submodule, the bytes that it and those behind it read of those before it.

    At the example sizes. Values that share a storage count once, inputs and weights not at all;
    nor do results that nothing behind the boundary reads.
    """
    captured = split.captured
    sizes = {symbol.name: symbol.example for symbol in captured.symbols}
    examples = {symbol: sizes[name] for symbol, name in captured.names.items()}
    values = {node.name: node.meta.get("val") for node in split.graph_module.graph.nodes}
    made: dict[int, int] = {}  # storage -> the first submodule that yields it
    used: dict[int, int] = {}  # storage -> the last one that reads it
    size: dict[int, int] = {}
    for sub in split.submodules:
        for name in sub.inputs:
            storage = _storage(values.get(name))
            if storage in made:
                used[storage] = sub.index
        for name in sub.outputs:
            storage = _storage(values.get(name))
            if storage is not None:
                made.setdefault(storage, sub.index)
                size[storage] = max(size.get(storage, 0), _bytes(values[name], examples))
    crossings = [0] * len(split.submodules)
    for storage, last in used.items():
        for boundary in range(made[storage] + 1, last + 1):
            crossings[boundary] += size[storage]
    return crossings


def _storage(value: Any) -> int | None:
    return tensor_kinds.storage_identity(value) if isinstance(value, torch.Tensor) else None


def _bytes(value: torch.Tensor, examples: dict[Any, int]) -> int:
    """What is kept of a value: all of its memory, also where the value is a part of that."""
    if value.layout is torch.strided:
        memory: Any = value.untyped_storage().nbytes()
        if not symbolic.is_symbolic_int(memory):
            return int(memory)
        return int(example_of(symbolic.symbolic_expression(memory), examples))
    count: Any = value.numel()
    if symbolic.is_symbolic_int(count):
        count = example_of(symbolic.symbolic_expression(count), examples)
    return int(count) * value.element_size()
