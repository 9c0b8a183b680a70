"""split graph + twins -> the inputs of their kernel that are tensors of the model at every call.

A load checks what it binds, and every call asks whether it is still there, so that a kernel need
not assert it once more: that took three times as long as asking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any

from torch.fx import Node

from .split import SplitGraph, Submodule


def weight_positions(split: SplitGraph, twins: Sequence[Submodule]) -> frozenset[int]:
    """The positions of arguments that are parameters, buffers or constants for all twins."""
    held = held_nodes(split)
    return known_positions(split, {sub.name for sub in twins}, lambda value: value in held)


def known_positions(
    split: SplitGraph, names: Set[str], is_known: Callable[[Any], bool]
) -> frozenset[int]:
    """The positions at which every call of these submodules has an argument that is known."""
    nodes = split.graph_module.graph.nodes
    calls = [n for n in nodes if n.op == "call_module" and n.target in names]
    found = [{i for i, value in enumerate(call.args) if is_known(value)} for call in calls]
    return frozenset.intersection(*map(frozenset, found)) if found else frozenset()


def held_nodes(split: SplitGraph) -> frozenset[Node]:
    """The placeholders of the split graph that are parameters, buffers or constants."""
    captured = split.captured.graph_module.graph.nodes
    originals = [node.name for node in captured if node.op == "placeholder"]
    copies = [node for node in split.graph_module.graph.nodes if node.op == "placeholder"]
    held = {parameter.placeholder for parameter in split.captured.parameters}
    return frozenset(copy for copy, name in zip(copies, originals, strict=True) if name in held)
