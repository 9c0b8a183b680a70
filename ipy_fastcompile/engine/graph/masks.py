"""graph -> the same, with what attentions share of a mask computed once.

Attention takes a mask of truth values, and makes numbers of it before anything else: nothing where
it looks, minus infinity where it does not. It does so in every layer, with the same mask. On CPUs
the numbers are made in the graph, as attention makes them, where several take the same mask, and
each kernel of attention gets what it would have been given.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...torch_compat import ops

_ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
_MASK = 3  # its position among the arguments


def masks_as_numbers(graph_module: GraphModule) -> GraphModule:
    """Give attentions that share a mask of truth values the numbers that they make of it."""
    nodes = list(graph_module.graph.nodes)
    if any(map(_may_change_a_mask, nodes)):
        return graph_module
    users: dict[tuple[Node, torch.dtype], list[Node]] = {}
    for node in nodes:
        mask = _mask_of(node) if node.target is _ATTENTION else None
        if mask is not None:
            query: Any = node.args[0]
            users.setdefault((mask, query.meta["val"].dtype), []).append(node)
    for (mask, dtype), attentions in users.items():
        if len(attentions) > 1:
            numbers = _numbers(graph_module, mask, dtype, attentions[0])
            for node in attentions:
                _give(node, numbers)
    graph_module.recompile()
    return graph_module


def _may_change_a_mask(node: Node) -> bool:
    """Whether a node writes to truth values, or sees other memory as such."""
    if node.target is torch.ops.aten.view.dtype:
        return True
    return ops.is_mutating(node.target) and any(map(_is_mask, node.all_input_nodes))


def _is_mask(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype is torch.bool


def _mask_of(node: Node) -> Node | None:
    """The mask of an attention on a CPU, where it has one of truth values in rows of their own."""
    mask = node.args[_MASK] if len(node.args) > _MASK else node.kwargs.get("attn_mask")
    if not isinstance(mask, Node) or not _is_mask(mask):
        return None
    value: Any = mask.meta["val"]
    return mask if value.device.type == "cpu" and _is_dense(value) else None


def _is_dense(value: torch.Tensor) -> bool:
    """Whether each stride is the product of the sizes behind it; numbers are laid out so, too."""
    product: Any = 1
    for size, stride in zip(reversed(value.shape), reversed(value.stride()), strict=True):
        if str(stride) != str(product):
            return False
        product = size * product
    return True


def _numbers(graph_module: GraphModule, mask: Node, dtype: torch.dtype, first: Node) -> Node:
    """What aten's `convert_boolean_attn_mask` computes, in front of the first that takes it."""
    aten = torch.ops.aten
    value: Any = mask.meta["val"]
    hidden = torch.full((), -math.inf, dtype=dtype)
    graph, name = graph_module.graph, f"{mask.name}_as_numbers"
    kind = {"dtype": dtype, "device": value.device}
    with graph.inserting_before(first):
        never = graph.call_function(aten.full.default, ((), -math.inf), kind)
        arguments = (mask, 0.0, never)
        made = graph.create_node("call_function", aten.where.ScalarSelf, arguments, name=name)
    with value.fake_mode:
        never.meta = {**first.meta, "val": value.fake_mode.from_tensor(hidden)}
        made.meta = {**first.meta, "val": aten.where.ScalarSelf(value, 0.0, never.meta["val"])}
    return made


def _give(node: Node, numbers: Node) -> None:
    if len(node.args) > _MASK:
        node.args = (*node.args[:_MASK], numbers, *node.args[_MASK + 1 :])
    else:
        node.kwargs = {**node.kwargs, "attn_mask": numbers}
