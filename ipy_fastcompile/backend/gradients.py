"""graph of Dynamo's -> why it is not for inference alone, "" where it is."""

from __future__ import annotations

from typing import Any

import torch

from ..torch_compat import dynamo, trees


def wants_gradients(graph_module: torch.fx.GraphModule) -> str:
    """Why a graph is none for inference: the first value in it that records autograd."""
    if dynamo.leaves_gradients_switched(graph_module):
        return "It leaves autograd switched on or off for what runs after it."
    for node in graph_module.graph.nodes:
        if node.op in ("placeholder", "output"):
            continue
        if _records(node.meta.get("example_value")):
            return f"It wants gradients: {node.name} records autograd."
        into = [_records(other.meta.get("example_value")) for other in node.all_input_nodes]
        if node.meta.get("example_value") is None and any(into):  # it writes, who knows what
            return f"It wants gradients: {node.name} is given what records autograd."
    return ""


def _records(value: Any) -> bool:
    return any(
        isinstance(leaf, torch.Tensor) and leaf.requires_grad
        for leaf in trees.flatten_tree(value)[0]
    )
