"""submodule that Inductor refuses -> the node in it that is refused, so that only it is set apart.

The error names an op where lowering it failed. Where it names none, the graph is compiled by ever
smaller beginnings until the first one that fails is known: its last node is the one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from ...torch_compat import lazy_graphs, ops

Attempt = Callable[[GraphModule], Any]

# Beginnings are looked for in graphs up to this size: each costs a compile.
_MOST_NODES = 400
_OF_THE_MACHINE = re.compile(
    r"InvalidCxxCompiler|CppCompileError|No working C\+\+ compiler|No space left|Permission denied"
    r"|out of memory|Cannot allocate memory|CalledProcessError|FileNotFoundError"
)
# Code that a compiler has read and does not take is Inductor's, and the graph's.
_BAD_CODE = re.compile(r"\.(?:cpp|h|cu):\d+:\d+: error: ")
_TARGET = re.compile(r"^\s*target: (\S+)", re.MULTILINE)


def is_of_the_machine(error: BaseException) -> bool:
    """Whether a compile failed for want of a compiler, memory or room, not for the graph."""
    chain: BaseException | None = error
    while chain is not None:
        text = f"{type(chain).__name__}: {chain}"
        if _BAD_CODE.search(text):
            return False
        if isinstance(chain, (OSError, MemoryError)) or _OF_THE_MACHINE.search(text):
            return True
        chain = chain.__cause__ or chain.__context__
    return False


def refused_node(graph_module: GraphModule, error: Exception, attempt: Attempt) -> Node | None:
    """The node of a graph that Inductor refuses, or None when no single one explains the error."""
    nodes: list[Node] = [n for n in graph_module.graph.nodes if n.op == "call_function"]
    if is_of_the_machine(error) or len(nodes) > _MOST_NODES:
        return None
    named = set(_TARGET.findall(str(error)))
    likely = [n for n in nodes if str(n.target) in named]
    branches = [n for n in nodes if ops.is_higher_order(n.target)]
    for node in (*likely, *branches):
        if not _compiles(_piece(graph_module, [node]), attempt):
            return node
    return _first_failing(graph_module, nodes, attempt)


def _first_failing(
    graph_module: GraphModule, nodes: Sequence[Node], attempt: Attempt
) -> Node | None:
    low, high = 0, len(nodes)  # the beginning of `low` nodes compiles, that of `high` does not
    if high < 2 or _compiles(_piece(graph_module, nodes), attempt):
        return None  # the whole would be set apart, or what was asked of it failed, not the nodes
    while high - low > 1:
        middle = (low + high) // 2
        if _compiles(_piece(graph_module, nodes[:middle]), attempt):
            low = middle
        else:
            high = middle
    return nodes[high - 1]


def _compiles(piece: GraphModule | None, attempt: Attempt) -> bool:
    if piece is None:
        return True
    try:
        attempt(piece)
    except Exception:  # noqa: BLE001 - Inductor raises whatever its passes raise
        return False
    return True


def _piece(graph_module: GraphModule, nodes: Sequence[Node]) -> GraphModule | None:
    """A graph of some nodes that returns all their tensors that others use; None without any."""
    graph = Graph()
    members = set(nodes)
    copies: dict[Node, Node] = {}
    outside = [n for node in nodes for n in node.all_input_nodes if n not in members]
    given = [n for n in graph_module.graph.nodes if n.op == "placeholder"]
    for node in dict.fromkeys([*given, *outside]):  # inputs come first in a graph
        if node.op != "get_attr":
            copies[node] = graph.placeholder(node.name)
            copies[node].meta = dict(node.meta)
    for node in dict.fromkeys(outside):
        if node.op == "get_attr":
            copies[node] = graph.node_copy(node)
    for node in nodes:
        copies[node] = graph.node_copy(node, lambda n: copies[n])
    results = [
        n
        for n in nodes
        if isinstance(n.meta.get("val"), torch.Tensor)
        and (len(nodes) == 1 or any(user not in members for user in n.users))
    ]
    tuples = [n for n in nodes if isinstance(n.meta.get("val"), (tuple, list))]
    for node in tuples:
        items = node.meta["val"]
        if any(user in members for user in node.users):
            continue
        for position, item in enumerate(items):
            if isinstance(item, torch.Tensor):
                made = graph.call_function(operator.getitem, (copies[node], position))
                made.meta = {"val": item}
                copies[made] = made
                results.append(made)
    if not results:
        return None
    graph.output(tuple(copies[n] for n in results))
    return lazy_graphs.lazy_graph_module(graph_module, graph, "piece")
