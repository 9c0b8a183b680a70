"""graph -> the placeholders that it writes to, and whether the default dtype changes its results.

Ops of a captured graph write in place, to an input or to a view of one; their schemas say which of
their arguments are written, and which results are views.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...torch_compat import ops


def written_placeholders(graph_module: GraphModule) -> frozenset[str]:
    """The names of the placeholders whose memory a call writes to."""
    return frozenset(node.name for node in _written(graph_module)[0])


def roots_of(graph_module: GraphModule) -> dict[Node, frozenset[Node]]:
    """For each value of a graph, the placeholders whose memory it may be."""
    return _written(graph_module)[1]


def _written(graph_module: GraphModule) -> tuple[set[Node], dict[Node, frozenset[Node]]]:
    # For each value, the placeholders whose memory it may be.
    roots: dict[Node, frozenset[Node]] = {}
    written: set[Node] = set()
    for node in graph_module.graph.nodes:
        if node.op == "placeholder":
            roots[node] = frozenset([node])
            continue
        inputs = [roots.get(n, frozenset()) for n in node.all_input_nodes]
        every = frozenset().union(*inputs)
        if node.op != "call_function":
            roots[node] = every
        elif ops.is_op(node.target):
            changed, viewed = _aliased_arguments(node)
            written |= _roots_of(changed, roots)
            roots[node] = _roots_of(viewed, roots)
        elif ops.is_higher_order(node.target):
            roots[node] = every
            if any(_changes(graph_module, n) for n in node.all_input_nodes):
                written |= every
        else:  # items of tuples, arithmetic on sizes
            roots[node] = every
    return written, roots


def _aliased_arguments(node: Node) -> tuple[list[Any], list[Any]]:
    """The arguments that an op writes to, and those whose memory its results may be."""
    changed, viewed = [], []
    for position, argument in enumerate(ops.schema_arguments(node.target)):
        if argument.alias_info is not None:
            given = node.args[position] if position < len(node.args) else None
            viewed.append(node.kwargs.get(argument.name, given))
            if argument.alias_info.is_write:
                changed.append(viewed[-1])
    return changed, viewed


def _roots_of(values: Iterable[Any], roots: dict[Node, frozenset[Node]]) -> frozenset[Node]:
    found: list[Node] = []
    torch.fx.map_arg(list(values), found.append)
    return frozenset().union(*(roots.get(node, frozenset()) for node in found))


def _changes(graph_module: GraphModule, node: Node) -> bool:
    """Whether a node is a graph, as higher-order ops take them, that writes to what it is given."""
    child = getattr(graph_module, str(node.target), None) if node.op == "get_attr" else None
    return isinstance(child, GraphModule) and bool(_written(child)[0])


def takes_default_dtype(graph_module: GraphModule) -> bool:
    """Whether an op's result has the default dtype because nothing says another one.

    So it is for factories without a dtype and for integers that become real numbers.
    """
    return any(
        _takes_default_dtype(node)
        for module in graph_module.modules()
        if isinstance(module, GraphModule)
        for node in module.graph.nodes
        if node.op == "call_function" and ops.is_op(node.target)
    )


def _takes_default_dtype(node: Node) -> bool:
    made = node.meta.get("val")
    results = made if isinstance(made, (tuple, list)) else [made]
    if not any(isinstance(r, torch.Tensor) and _is_real(r.dtype) for r in results):
        return False
    given = [*node.args, *node.kwargs.values()]
    if any(isinstance(value, torch.dtype) for value in given):
        return False
    inputs = [n.meta.get("val") for n in node.all_input_nodes]
    return not any(isinstance(i, torch.Tensor) and _is_real(i.dtype) for i in inputs)


def _is_real(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point or dtype.is_complex
