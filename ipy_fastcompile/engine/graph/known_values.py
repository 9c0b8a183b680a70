"""captured graph -> the same, where a number that a tensor holds is compared with what it must be.

A model that says ``torch._check(n.item() == x.shape[0])`` is traced with the size in the place of
the number, and what was said is gone from the graph. Here it is said again, next to the op that
reads the number; all else uses the size, which the inputs tell.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from torch.fx import GraphModule, Node

from ...torch_compat import guards, symbolic
from ..sizes.expressions import size_text, solve_linear
from .made_sizes import made_size

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
            known = made_size(graph, expression)
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
