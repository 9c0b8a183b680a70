"""captured graph -> the same, where a number that a tensor holds is compared with what it must be.

A model that says ``torch._check(n.item() == x.shape[0])`` is traced with the size in the place of
the number, and what was said is gone from the graph. Here it is said again, next to the op that
reads the number; all else uses the size, which the inputs tell.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from ...torch_compat import guards, symbolic
from ..sizes.expressions import size_text, solve_linear

# Marks the nodes that compare; they run beside the op that reads the number, never in a kernel.
COMPARES = "compares_a_known_value"


def compare_known_values(graph_module: GraphModule, names: Mapping[Any, str]) -> None:
    """Compare every number that a tensor holds with the size of an input that it stands for.

    ``names`` are those of the symbols that the inputs tell.
    """
    graph = graph_module.graph
    for node in list(graph.nodes):
        expression = _known(node, names)
        if expression is None:
            continue
        symbol = symbolic.read_from_data(node.meta["val"])
        text = f"{symbol} == {size_text(expression, names)}"
        with graph.inserting_after(node):
            equal = graph.call_function(operator.eq, (node, 0))
        with graph.inserting_after(equal):
            refuse = graph.call_function(guards.assertion_op(), (equal, text))
        with graph.inserting_before(node):
            known = _made(graph, expression)
        for user in list(node.users):
            if user is not equal:
                user.replace_input_with(node, known)
        equal.args = (node, known)
        for made in (node, equal, refuse):
            made.meta[COMPARES] = True
            made.meta.setdefault("stack_trace", node.meta.get("stack_trace"))
    graph_module.recompile()


def _known(node: Node, names: Mapping[Any, str]) -> Any:
    """What a number that depends on data is, where the sizes of the inputs tell."""
    value = node.meta.get("val")
    if node.op != "call_function" or not symbolic.read_from_data(value):
        return None
    expression = symbolic.symbolic_expression(value)
    is_known = expression.is_Integer or solve_linear(expression) is not None
    return expression if is_known and expression.free_symbols <= set(names) else None


def _made(graph: Graph, expression: Any) -> Any:
    """A number, or nodes that compute ``factor*symbol + offset`` from the size of an input."""
    if expression.is_Integer:
        return int(expression)
    symbol, factor, offset = solve_linear(expression)  # type: ignore[misc]
    tensor, dim, (_, times, plus) = _place_of(graph, symbol)
    size = graph.call_function(torch.ops.aten.sym_size.int, (tensor, dim))
    size.meta["val"] = tensor.meta["val"].shape[dim]
    steps = ((operator.sub, plus), (operator.floordiv, times), (operator.mul, factor))
    for function, number in (*steps, (operator.add, offset)):
        if number != (1 if function in (operator.floordiv, operator.mul) else 0):
            value = function(size.meta["val"], number)
            size = graph.call_function(function, (size, number))
            size.meta["val"] = value
    return size


def _place_of(graph: Graph, symbol: Any) -> tuple[Node, int, tuple[Any, int, int]]:
    """The input and dimension that tell a symbol, and how."""
    for node in graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and isinstance(value, torch.Tensor):
            for dim, size in enumerate(value.shape):
                if symbolic.is_symbolic_int(size):
                    solved = solve_linear(symbolic.symbolic_expression(size))
                    if solved and solved[0] == symbol:
                        return node, dim, solved
    raise AssertionError(f"no input has {symbol}")
