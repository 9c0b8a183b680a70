"""size -> nodes that compute it from the sizes of a graph's inputs."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from ...torch_compat import symbolic
from ..sizes.expressions import linear_parts, solve_linear

_DIVISIONS = (operator.mod, operator.floordiv)


def spell_plain_sizes(graph_module: GraphModule) -> GraphModule:
    """Replace divisions of sizes that are known to be plain ones by these.

    Whoever traces the graph once more would know of the divisions alone.
    """
    graph = graph_module.graph
    for node in list(graph.nodes):
        value = node.meta.get("val")
        if node.target not in _DIVISIONS or not symbolic.is_symbolic_int(value):
            continue
        expression = symbolic.symbolic_expression(value)
        if not expression.is_Integer and linear_parts(expression) is None:
            continue
        with graph.inserting_before(node):
            node.replace_all_uses_with(made_size(graph, expression))
        graph.erase_node(node)
    graph_module.recompile()
    return graph_module


def made_size(graph: Graph, expression: Any) -> Any:
    """A number, or nodes that compute ``factor*symbol + offset`` from the size of an input."""
    if expression.is_Integer:
        return int(expression)
    symbol, factor, offset = linear_parts(expression)  # type: ignore[misc]
    size, (_, times, plus) = _input_with(graph, symbol)
    steps = ((operator.sub, plus), (operator.floordiv, times), (operator.mul, factor))
    for function, number in (*steps, (operator.add, offset)):
        if number != (1 if function in (operator.floordiv, operator.mul) else 0):
            value = function(size.meta["val"], number)
            size = graph.call_function(function, (size, number))
            size.meta["val"] = value
    return size


def _input_with(graph: Graph, symbol: Any) -> tuple[Node, tuple[Any, int, int]]:
    """A size of an input, or a number, that tells a symbol, and how."""
    for node in graph.nodes:
        value = node.meta.get("val")
        if node.op != "placeholder":
            continue
        sizes = value.shape if isinstance(value, torch.Tensor) else (value,)
        for dim, size in enumerate(sizes):
            if not symbolic.is_symbolic_int(size):
                continue
            solved = solve_linear(symbolic.symbolic_expression(size))
            if solved is None or solved[0] != symbol:
                continue
            if isinstance(value, torch.Tensor):
                node = graph.call_function(torch.ops.aten.sym_size.int, (node, dim))
                node.meta["val"] = size
            return node, solved
    raise AssertionError(f"no input has {symbol}")
