"""stitching graph -> its bytes for the reload paths that compile again or run it node by node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.fx import Graph, GraphModule, Node, map_arg
from torch.nn import Module

from ...errors import CodegenError
from ...interrupts import check_whole
from ...torch_compat import lazy_graphs, stored_graphs
from ..code.calls import where


def serialized(graph_module: GraphModule) -> bytes:
    """The graph and its submodules, with only the fake values of their nodes.

    Raises CodegenError naming the node that holds what cannot be stored.
    """
    stripped = _without_traces(graph_module)
    try:
        return stored_graphs.serialize_graph(stripped)
    except Exception as error:  # the pickler calls what a graph holds: anything comes
        check_whole(error)
        place, why = _culprit(stripped) or ("The graph", f"{type(error).__name__}: {error}")
        raise CodegenError(
            f"{place} holds what cannot be stored: {why:.300}.",
            "Report this model, or move that call out of what is compiled.",
        ) from error


def _without_traces(graph_module: GraphModule) -> GraphModule:
    """The graph with only the fake values of its nodes: what a recompile needs."""
    root = Module()
    for name, child in graph_module.named_children():
        stripped = _without_traces(child) if isinstance(child, GraphModule) else child
        root.add_module(name, stripped)
    for name, value in graph_module.named_buffers(recurse=False):  # FX makes tensors buffers
        root.register_buffer(name, value)
    graph = Graph()
    copies: dict[Node, Node] = {}
    for node in graph_module.graph.nodes:
        copies[node] = graph.node_copy(node, lambda n: copies[n])
        meta = node.meta
        copies[node].meta = (
            {"val": stored_graphs.without_base(meta["val"])} if "val" in meta else {}
        )
    return lazy_graphs.lazy_graph_module(root, graph, type(graph_module).__name__)


def _culprit(graph_module: GraphModule) -> tuple[str, str] | None:
    """The first node whose target, value or constants cannot be stored, and why."""
    for child in graph_module.children():
        found = _culprit(child) if isinstance(child, GraphModule) else None
        if found:
            return found
    for node in graph_module.graph.nodes:
        for part in _parts(node):
            why = stored_graphs.why_not_stored(part)
            if why:
                return where(node), why
    return None


def _parts(node: Node) -> Iterator[Any]:
    if node.op == "call_function":
        yield node.target
    yield node.meta.get("val")
    yield map_arg((node.args, node.kwargs), lambda _: None)
