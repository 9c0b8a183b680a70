"""ExecutionCode -> what is alive after each line, in bytes and as a function of the sizes.

Counted are the storages of intermediate values that ``forward`` holds; inputs and parameters
belong to the caller. Values that share a storage count once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .. import torch_internals
from ..records import Size
from .codegen import ExecutionCode
from .lower import Lowered


@dataclass(frozen=True)
class LineState:
    """After a line: bytes alive at the example sizes, as an expression, and what the line freed."""

    live_bytes: int
    live: str
    freed_bytes: int


def line_liveness(
    lowered: Lowered,
    code: ExecutionCode,
    size_text: Callable[[Any], Size],
    example: Callable[[Any], int],
) -> list[LineState]:
    """The state after every line of the execution code."""
    values = {n.name: n.meta.get("val") for n in lowered.split.graph_module.graph.nodes}
    external = {
        torch_internals.storage_identity(v)
        for n in lowered.split.graph_module.graph.nodes
        if n.op == "placeholder" and _has_storage(v := n.meta.get("val"))
    }
    held: dict[int, set[str]] = {}  # storage -> names that hold it
    sizes: dict[int, Any] = {}
    total: Any = 0
    states: list[LineState] = []
    for line in code.lines:
        freed: Any = 0
        for name in line.defines:
            value = values.get(name)
            if not _has_storage(value):
                continue
            storage = torch_internals.storage_identity(value)
            if storage in external:
                continue
            if not held.get(storage):
                sizes[storage] = _bytes_of(value)
                total = total + sizes[storage]
            held.setdefault(storage, set()).add(name)
        for name in line.frees:
            value = values.get(name)
            if not _has_storage(value):
                continue
            storage = torch_internals.storage_identity(value)
            holders = held.get(storage, set())
            holders.discard(name)
            if storage in held and not holders:
                del held[storage]
                freed = freed + sizes[storage]
                total = total - sizes[storage]
        states.append(LineState(example(total), str(size_text(total)), example(freed)))
    return states


def _has_storage(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is torch.strided


def _bytes_of(value: torch.Tensor) -> Any:
    """What a compiled piece allocates for a value: its elements, whatever it was a view of."""
    return value.numel() * value.element_size()
