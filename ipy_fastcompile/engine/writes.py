"""graph -> the placeholders that it writes to, directly or through views, as schemas tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.fx import GraphModule, Node

from .. import torch_internals


def written_placeholders(graph_module: GraphModule) -> frozenset[str]:
    """Names of the placeholders whose memory an op of the graph writes to."""
    sources: dict[Node, set[str]] = {}
    written: set[str] = set()
    for node in graph_module.graph.nodes:
        if node.op == "placeholder":
            sources[node] = {node.name}
            continue
        if node.op != "call_function":
            continue
        sources[node] = set()
        if not torch_internals.is_op(node.target):
            if getattr(node.target, "__name__", "") == "getitem":
                sources[node] = sources.get(node.args[0], set())
            continue
        for position, argument in enumerate(torch_internals.schema_arguments(node.target)):
            if argument.alias_info is None:
                continue
            given = node.args[position] if position < len(node.args) else None
            given = node.kwargs.get(argument.name, given)
            reached = {name for inner in _nodes(given) for name in sources.get(inner, ())}
            sources[node] |= reached
            if argument.alias_info.is_write:
                written |= reached
    return frozenset(written)


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _nodes(item)
