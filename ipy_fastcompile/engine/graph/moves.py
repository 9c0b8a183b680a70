"""graph -> the same, what it moves between tensors that it writes to spelt as a computation.

Inductor leaves out copies, and writes to all inputs at the end of a call. Where one is to become
what another one was, it then reads what it has written already: ``a, b = b, a`` makes both the same
(seen on 2.13). A product with one is no copy, and its value is there before anything is written.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...torch_compat import ops
from .writes import roots_of, written_placeholders

_COPY = torch.ops.aten.copy_.default
_SEVERAL = "aten::_foreach_copy_"
_COPIES = (torch.ops.aten.clone.default, torch.ops.aten.lift_fresh_copy.default)


def spell_moves(graph_module: GraphModule) -> GraphModule:
    """Replace copies of tensors that the graph writes to, where it writes to several."""
    written = written_placeholders(graph_module)
    if len(written) < 2:
        return graph_module
    roots = roots_of(graph_module)
    for node in list(graph_module.graph.nodes):
        if not ops.is_op(node.target):
            continue
        if node.target is _COPY or ops.op_and_overload(node.target)[0] == _SEVERAL:
            _spell(graph_module, node)
        elif node.target in _COPIES and {n.name for n in roots.get(node.args[0], ())} & written:
            node.replace_all_uses_with(_product(graph_module, node, node.args[0]))
            graph_module.graph.erase_node(node)
    graph_module.recompile()
    return graph_module


def _spell(graph_module: GraphModule, node: Node) -> None:
    """Copies of products, one after the other as eager makes them."""
    if node.target is _COPY:
        if isinstance(node.args[1], Node):
            product = _product(graph_module, node, node.args[1])
            node.args = (node.args[0], product, *node.args[2:])
        return
    targets: Any
    values: Any
    targets, values, *rest = node.args
    for target, value in zip(targets, values, strict=True):
        product = _product(graph_module, node, value)
        with graph_module.graph.inserting_before(node):
            made = graph_module.graph.call_function(_COPY, (target, product, *rest))
        made.meta = {**node.meta, "val": target.meta["val"]}
    graph_module.graph.erase_node(node)


def _product(graph_module: GraphModule, before: Node, value: Node) -> Node:
    """The value times one, computed before a node."""
    tensor: Any = value.meta["val"]
    aten = torch.ops.aten
    is_number = tensor.dtype.is_floating_point or tensor.dtype.is_complex
    op, other = (aten.mul.Tensor, 1) if is_number else (aten.bitwise_and.Tensor, value)
    with graph_module.graph.inserting_before(before):
        made = graph_module.graph.call_function(op, (value, other))
    made.meta = {**before.meta, "val": op(tensor, tensor if other is value else other)}
    return made
