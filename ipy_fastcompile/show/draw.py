"""View -> drawings: the split graph with repeats folded, and the FX graph of one submodule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..artifact.units import format_bytes
from ..records import GraphRecord, NodeRecord, SubmoduleRecord
from .fold import Item
from .layout import lay_out
from .palette import SHARED, STROKE
from .svg import BOX, Box, draw_svg
from .units import TIMES, format_count, format_value
from .view import View, item_label, op_name, output_bytes

# Nodes of one drawing: above, the explorer opens with the table and offers to draw anyway, up to
# the second number, where dot takes several seconds.
DRAW_LIMIT = 1_200
FORCED_LIMIT = 6_000
# A value read by more boxes than this is noted on the boxes; its edges would hide all others.
BROADCAST = 4

_HEAVY = ("linear", "addmm", "matmul", "bmm", "conv", "attention", "attn", "embedding", "baddbmm")
_REDUCING = (
    "mean",
    "sum",
    "amax",
    "amin",
    "max",
    "min",
    "prod",
    "softmax",
    "norm",
    "var",
    "argmax",
)


@dataclass(frozen=True)
class Drawing:
    """A drawing and what its boxes stand for: ``targets[i]`` is an item or node index."""

    svg: str
    targets: tuple[int, ...]


# --- split graph ---------------------------------------------------------------------------------


def open_items(view: View, opened: str) -> tuple[Item, ...]:
    """The items to draw: every fold closed for "", open for "all", else that one fold open."""
    items: list[Item] = []
    for item in view.items:
        if item.is_fold and opened in {"all", str(item.first)}:
            items += [Item(index) for index in range(item.first, item.stop)]
        else:
            items.append(item)
    return tuple(items)


def split_edges(view: View, items: Sequence[Item]) -> dict[tuple[int, int], list[str]]:
    """(tail, head) positions in ``items`` -> names of the values that pass."""
    at = {i: n for n, item in enumerate(items) for i in range(item.first, item.stop)}
    edges: dict[tuple[int, int], list[str]] = {}
    for submodule in view.report.submodules:
        for value in submodule.inputs:
            producer = view.producers.get(value.name)
            if producer is None or at[producer] == at[submodule.index]:
                continue
            names = edges.setdefault((at[producer], at[submodule.index]), [])
            if value.name not in names:
                names.append(value.name)
    return edges


def draw_split(view: View, opened: str = "", *, standalone: bool = False) -> Drawing:
    """The split graph; an item's target is the index of its first submodule."""
    items = open_items(view, opened)
    edges, stubs = _drop_broadcasts(view, items, split_edges(view, items))
    boxes = [_split_box(view, item, stubs.get(n, "")) for n, item in enumerate(items)]
    layout = lay_out(len(boxes), edges, size=BOX)
    label = f"Split graph of {view.report.model}: {format_count(len(boxes), 'box', 'boxes')}"
    svg = draw_svg(boxes, edges, layout, label=label, standalone=standalone)
    return Drawing(svg, tuple(item.first for item in items))


def _drop_broadcasts(
    view: View, items: Sequence[Item], edges: dict[tuple[int, int], list[str]]
) -> tuple[list[tuple[int, int]], dict[int, str]]:
    """Edges worth drawing, and what to note on the boxes that lost theirs."""
    readers: dict[int, list[int]] = {}
    for tail, head in sorted(edges):
        readers.setdefault(tail, []).append(head)
    kept: list[tuple[int, int]] = []
    stubs: dict[int, str] = {}
    for tail, heads in readers.items():
        kept += [(tail, head) for head in heads[: BROADCAST if len(heads) <= BROADCAST else 1]]
        for head in heads[1:] if len(heads) > BROADCAST else ():
            stubs[head] = f"← {view.report.submodules[items[tail].first].name}"
    return kept, stubs


def _split_box(view: View, item: Item, stub: str) -> Box:
    submodules = view.report.submodules
    if item.is_fold:
        members = submodules[item.first : item.first + item.period]
        roles = " ".join(
            f"{view.badges[s.index].shape}{view.badges[s.index].label}{_shared(view, s)}"
            for s in members
        )
        outputs = [f"{format_count(item.period * item.count)} submodules"]
        pattern, _, times = item_label(view, item).rpartition(f" {TIMES} ")
        return Box(pattern, f"{TIMES} {times} · {roles} {stub}", "fold", STROKE, outputs[0])
    submodule, badge = submodules[item.first], view.badges[item.first]
    twins = view.twins[item.first]
    shared = f" · {twins} twins" if twins > 1 else ""
    note = format_value(submodule.outputs[0]) if submodule.outputs else ""
    if len(submodule.outputs) > 1:
        note += f" +{len(submodule.outputs) - 1}, {format_bytes(output_bytes(submodule))}"
    return Box(
        f"{badge.shape} {badge.label}{_shared(view, submodule)}  {submodule.name}",
        stub or f"{view.roles[item.first]}{shared}",
        "inline" if submodule.kernel is None else f"k{badge.slot}",
        badge.fill,
        note,
    )


def _shared(view: View, submodule: SubmoduleRecord) -> str:
    """The sign behind a kernel that other programs run, too."""
    return f" {SHARED}" if submodule.kernel in view.also else ""


# --- graph of a submodule ------------------------------------------------------------------------


def node_kind(node: NodeRecord, *, is_weight: bool = False) -> str:
    """What a node is to a reader: "input", "weight", "output", "number", "view", "heavy", ..."""
    if node.op in {"placeholder", "get_attr"}:
        is_number = node.value is not None and node.value.kind != "tensor"
        return (
            "weight" if is_weight or node.op == "get_attr" else "number" if is_number else "input"
        )
    if node.op == "output":
        return "output"
    if node.value is not None and node.value.kind in {"int", "float", "bool"}:
        return "number"
    name = op_name(node.target)
    if name == "mm" or any(word in name for word in _HEAVY):
        return "heavy"
    if node.value is not None and node.value.kind == "tensor" and node.value.bytes == 0:
        return "view"
    if any(name == word or name.endswith(f"_{word}") for word in _REDUCING):
        return "reduce"
    return "point"


def weight_nodes(view: View, graph: GraphRecord) -> frozenset[int]:
    """Indices of the placeholders that are parameters, buffers or constants of the model."""
    placeholders = [n for n, node in enumerate(graph.nodes) if node.op == "placeholder"]
    owner = next((s for s in view.report.submodules if s.graph == graph.index), None)
    if owner is None or len(owner.inputs) != len(placeholders):
        return frozenset()
    return frozenset(placeholders[position] for position in view.weights[owner.index])


def graph_edges(graph: GraphRecord) -> tuple[tuple[int, int], ...]:
    """(from, to) indices of the nodes, each pair once, in the order of the readers."""
    index = {node.name: n for n, node in enumerate(graph.nodes)}
    return tuple(
        (index[name], head)
        for head, node in enumerate(graph.nodes)
        for name in dict.fromkeys(node.inputs)
        if name in index
    )


def node_kinds(view: View, graph: GraphRecord) -> tuple[str, ...]:
    """`node_kind` of every node."""
    weights = weight_nodes(view, graph)
    return tuple(node_kind(node, is_weight=n in weights) for n, node in enumerate(graph.nodes))


def _is_folded(node: NodeRecord, kind: str) -> bool:
    """Weights and numbers that are given, not computed, clutter a drawing."""
    return node.op in {"placeholder", "get_attr"} and kind in {"weight", "number"}


def draw_graph(view: View, graph: GraphRecord, *, weights: bool = False) -> Drawing:
    """The FX graph of a submodule, without weights unless asked; targets are node indices."""
    kinds = node_kinds(view, graph)
    nodes = list(zip(graph.nodes, kinds, strict=True))
    shown = tuple(n for n, pair in enumerate(nodes) if weights or not _is_folded(*pair))
    at = {number: n for n, number in enumerate(shown)}
    every = graph_edges(graph)
    edges = [(at[a], at[b]) for a, b in every if a in at and b in at]
    folded: dict[int, int] = {}
    for tail, head in every:
        if tail not in at:
            folded[head] = folded.get(head, 0) + 1
    boxes = []
    for number in shown:
        node = graph.nodes[number]
        extra = f" +{folded[number]} w" if number in folded else ""
        title = node.name if node.op != "call_function" else op_name(node.target)
        subtitle = {"placeholder": "input", "output": "output"}.get(node.op, node.name)
        note = format_value(node.value, 34)
        boxes.append(Box(title + extra, subtitle, kinds[number], note=note))
    layout = lay_out(len(boxes), edges, size=BOX)
    label = f"FX graph, {format_count(len(boxes), 'node')} drawn"
    return Drawing(draw_svg(boxes, edges, layout, label=label), shown)
