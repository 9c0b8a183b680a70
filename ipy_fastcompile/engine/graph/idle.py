"""graph -> the same without calls that return the very tensor that they are given.

No schema says of dropout that its result may be its input. In evaluation mode it is, so that what
is written to the one is written to the other; so it is with `dequantize` of what is not quantized.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

_DROPOUTS = tuple(
    getattr(torch.ops.aten, name).default
    for kind in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
    for name in (kind, f"{kind}_")
)


def without_idle(graph_module: GraphModule) -> GraphModule:
    """Let users of a dropout that drops nothing use its input, in regions and branches as well."""
    for module in graph_module.modules():
        if not isinstance(module, GraphModule):
            continue
        for node in list(module.graph.nodes):
            if node.op == "call_function" and _is_idle(node):
                node.replace_all_uses_with(node.args[0])
                module.graph.erase_node(node)
        module.recompile()
    return graph_module


def _is_idle(node: Node) -> bool:
    if not node.args or not isinstance(node.args[0], Node):
        return False
    if node.target is torch.ops.aten.dequantize.self:
        return not node.args[0].meta["val"].is_quantized
    if node.target not in _DROPOUTS:
        return False
    chance: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("p")
    training: Any = node.args[2] if len(node.args) > 2 else node.kwargs.get("train")
    return training is False or (isinstance(chance, (int, float)) and chance == 0)
