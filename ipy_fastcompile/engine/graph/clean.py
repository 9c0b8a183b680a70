"""graph -> the same without what its checked inputs make redundant, and what nothing uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...torch_compat import ops
from ..sizes.size_book import assertions_of

_EFFECTS = (
    "_assert_scalar",
    "_assert_async",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)


def clean_graph(
    graph_module: torch.fx.GraphModule, names: Mapping[Any, str]
) -> torch.fx.GraphModule:
    """Drop what the checked inputs make redundant, and what nothing uses.

    Export asserts dtype, device and layout before every cast; they follow from the inputs'. What
    it asserts about sizes of inputs alone is among the conditions that a call is checked for.
    """
    graph = graph_module.graph
    for node in reversed(list(graph.nodes)):
        if node.op != "call_function" or node.users:
            continue
        asserted = assertions_of(node)
        if (
            str(node.target) == "aten._assert_tensor_metadata.default"
            or not _has_effect(node)
            or (asserted and all(a.free_symbols <= set(names) for a in asserted))
        ):
            graph.erase_node(node)
    graph_module.recompile()
    return graph_module


def _has_effect(node: torch.fx.Node) -> bool:
    """Whether leaving a call out would change anything but its own value."""
    target: Any = node.target
    if not ops.is_op(target):
        return ops.is_higher_order(target)
    if ops.is_mutating(target) or torch.Tag.nondeterministic_seeded in target.tags:
        return True
    return ops.op_and_overload(target)[0].partition("::")[2] in _EFFECTS
