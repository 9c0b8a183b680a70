"""View -> its graphs as columns and drawings, and the source lines that their nodes are of."""

from __future__ import annotations

from typing import Any

from ..artifact.inert import inert
from ..records import GraphRecord
from .draw import (
    DRAW_LIMIT,
    FORCED_LIMIT,
    draw_graph,
    draw_split,
    graph_edges,
    node_kinds,
    open_items,
)
from .layout import has_graphviz
from .units import format_count, format_value
from .view import View, source_id

# An opened split graph of more submodules than this is not drawn unasked.
SPLIT_LIMIT = 1_500
NO_GRAPHVIZ = "Drawing needs pygraphviz: pip install pygraphviz. The table has all that it shows."


def split_columns(view: View, opened: str) -> dict[str, Any]:
    """The split graph with one fold open, none (""), or "all"; LookupError for another."""
    folds = {str(item.first) for item in view.items if item.is_fold}
    if opened not in folds | {"", "all"}:
        raise LookupError(f"There is no fold at {opened!r:.40}.")
    items = open_items(view, opened)
    columns = {
        "first": [item.first for item in items],
        "period": [item.period for item in items],
        "count": [item.count for item in items],
    }
    if not has_graphviz():
        return columns | {"svg": "", "why": NO_GRAPHVIZ}
    if len(items) > SPLIT_LIMIT:
        why = f"{format_count(len(items), 'submodule')} are too many for one picture."
        return columns | {"svg": "", "why": why}
    return columns | {"svg": draw_split(view, opened).svg, "why": ""}


def graph_columns(view: View, graph: GraphRecord) -> dict[str, Any]:
    """The nodes of an FX graph and its edges."""
    return {
        "name": [inert(n.name) for n in graph.nodes],
        "op": [inert(n.op) for n in graph.nodes],
        "target": [inert(n.target) for n in graph.nodes],
        "kind": list(node_kinds(view, graph)),
        "value": [format_value(n.value) for n in graph.nodes],
        "bytes": [n.value.example_bytes if n.value else 0 for n in graph.nodes],
        "arguments": [inert(n.arguments)[:400] for n in graph.nodes],
        "module": [inert(n.module) for n in graph.nodes],
        "source": [source_id(view, n.source) for n in graph.nodes],
        "edges": [end for edge in graph_edges(graph) for end in edge],
        "owner": next((s.index for s in view.report.submodules if s.graph == graph.index), -1),
    }


def graph_drawing(view: View, graph: GraphRecord, options: set[str]) -> dict[str, Any]:
    """The drawing of an FX graph, or why there is none; options: "all" weights, "anyway"."""
    if not has_graphviz():
        return {"svg": "", "why": NO_GRAPHVIZ, "anyway": False}
    limit = FORCED_LIMIT if "anyway" in options else DRAW_LIMIT
    if len(graph.nodes) > limit:
        why = f"{format_count(len(graph.nodes), 'node')} are too many for a quick drawing."
        return {"svg": "", "why": why, "anyway": len(graph.nodes) <= FORCED_LIMIT}
    drawing = draw_graph(view, graph, weights="all" in options)
    return {"svg": drawing.svg, "nodes": list(drawing.targets), "why": "", "anyway": False}


def source_columns(view: View) -> dict[str, Any]:
    """The table of source lines; ``graphs`` says which graphs hold nodes of each line."""
    graphs: list[list[int]] = [[] for _ in view.sources]
    for graph in view.report.graphs:
        for source in dict.fromkeys(n.source for n in graph.nodes if n.source):
            graphs[view.source_ids[source]].append(graph.index)
    files = list(dict.fromkeys(source.file for source in view.sources))
    return {
        "files": [inert(file) for file in files],
        "file": [files.index(source.file) for source in view.sources],
        "line": [source.line for source in view.sources],
        "function": [inert(source.function) for source in view.sources],
        "text": [inert(source.text.strip()) for source in view.sources],
        "graphs": graphs,
    }
