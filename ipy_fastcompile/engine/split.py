"""Captured -> SplitGraph: a stitching graph that calls submodules, each boundary with its reason.

The graph is cut at splitting ops (attention by default; any op by name; any function
``Node -> SplitReason | None``). Where it has none of them, it is cut at the boundaries of its
repeated layers. Sizes that follow from the inputs' shapes stay in the stitching graph.
"""

from __future__ import annotations

import collections
import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from .. import torch_internals
from ..errors import SplitError
from .capture import Captured

# Ops that are splitting ops unless `split_at` says otherwise: attention, whoever registers it.
_ATTENTION = re.compile(r"attention|attn")
# Arithmetic on sizes, which the stitching graph does itself.
_SIZE_ARITHMETIC = frozenset(
    {operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.neg}
)


@dataclass(frozen=True)
class SplitReason:
    """Why there is a boundary before a node: ``splitting op aten::scaled_dot_product_attention``."""

    kind: str  # "splitting op" | "repeated layer" | any word of a user's own function
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


SplitFunction = Callable[[Node], SplitReason | None]


@dataclass(frozen=True)
class Submodule:
    """One piece of the graph. ``inlined`` pieces run as plain FX code, all others are compiled."""

    index: int
    name: str
    graph_module: GraphModule
    inlined: bool
    reason: SplitReason
    module_path: str
    n_nodes: int
    inputs: tuple[str, ...]  # names in the stitching graph
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class SplitGraph:
    """The stitching graph, as a GraphModule whose children are the submodules, in call order."""

    graph_module: GraphModule
    submodules: tuple[Submodule, ...]
    captured: Captured

    def __str__(self) -> str:
        lines = [f"{self.captured.model_name}: {len(self.submodules)} submodules"]
        for sub in self.submodules:
            how = "inlined" if sub.inlined else "compiled"
            lines.append(
                f"  {sub.name:<12} {how:<9} {sub.n_nodes:>4} nodes  {sub.module_path or '-':<28} {sub.reason}"
            )
        return "\n".join(lines)


def split(
    captured: Captured, split_at: Sequence[str] | str | SplitFunction | None = None
) -> SplitGraph:
    """Cut a captured graph into submodules.

    Parameters
    ----------
    split_at:
        None for attention ops, op names such as ``"aten::scaled_dot_product_attention"``, or a
        function that gives the reason for cutting at a node, None for no cut.

    Raises `SplitError` when a named op is not in the graph.
    """
    nodes = [n for n in captured.graph_module.graph.nodes if n.op == "call_function"]
    own_piece = _splitting_nodes(nodes, split_at)
    starts: dict[Node, SplitReason] = {}
    if not own_piece and split_at is None:
        starts = _layer_boundaries(nodes)
    pieces = _partition(captured, nodes, own_piece, starts)
    return _build(captured, pieces)


# --- where to cut --------------------------------------------------------------------------------


def op_name(node: Node) -> str:
    """``aten::mm`` for a call of torch.ops.aten.mm.default; the function's name for all else."""
    if isinstance(node.target, torch._ops.OpOverload):
        return str(node.target._schema.name)
    return str(getattr(node.target, "__name__", node.target))


def split_at_attention(node: Node) -> SplitReason | None:
    """The default: cut at every op that has attention in its name."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return None
    name = op_name(node)
    if _ATTENTION.search(name.split("::")[-1]) and "backward" not in name:
        return SplitReason("splitting op", name)
    return None


def split_at_ops(names: Iterable[str]) -> SplitFunction:
    """Cut at the ops with these names, ``namespace::op`` or ``namespace::op.overload``."""
    wanted = {name.replace("torch.ops.", "").replace(".", "::", "::" not in name) for name in names}

    def reason(node: Node) -> SplitReason | None:
        name = op_name(node)
        if name in wanted or f"{name}.{getattr(node.target, '_overloadname', '')}" in wanted:
            return SplitReason("splitting op", name)
        return None

    return reason


def _splitting_nodes(
    nodes: Sequence[Node], split_at: Sequence[str] | str | SplitFunction | None
) -> dict[Node, SplitReason]:
    names: tuple[str, ...] = ()
    if split_at is None:
        function: SplitFunction = split_at_attention
    elif callable(split_at):
        function = split_at
    else:
        names = (split_at,) if isinstance(split_at, str) else tuple(split_at)
        function = split_at_ops(names)
    found: dict[Node, SplitReason] = {}
    for node in nodes:
        if node.target is operator.getitem:
            continue
        reason = function(node)
        if reason is None:
            continue
        if not isinstance(reason, SplitReason):
            raise SplitError(
                f"split_at returned {reason!r:.40} for node {node.name}.",
                "It should return a SplitReason, or None for no cut.",
                node=node.name,
            )
        found[node] = reason
    for name in names:
        if not any(split_at_ops([name])(node) for node in found):
            present = sorted({op_name(n) for n in nodes if n.target is not operator.getitem})
            near = difflib.get_close_matches(name, present, 3)
            raise SplitError(
                f"split_at names {name!r}, and the graph has no such op.",
                f"Did you mean {', '.join(near)}?" if near else "print(split_graph) shows its ops.",
                op=name,
                present=tuple(present),
            )
    return found


def _module_stack(node: Node) -> list[tuple[str, Any]]:
    """(path, class) of the modules a node was traced in, outermost first."""
    stack = node.meta.get("nn_module_stack") or {}
    found = []
    for entry in stack.values():
        path, kind = entry if isinstance(entry, tuple) else (entry, "")
        if path:
            found.append((str(path), kind))
    return found


def module_path(node: Node) -> str:
    """``model.layers.3.mlp``: the innermost module a node was traced in."""
    stack = _module_stack(node)
    return stack[-1][0] if stack else ""


def _layer_boundaries(nodes: Sequence[Node]) -> dict[Node, SplitReason]:
    """The first node of every repeated layer, and the first one after the last.

    The layers are the instances of the class that occurs most often in numbered containers
    (``layers.0``, ``stages.1.layers.4``), outermost first when several do; torch.nn's own leaf
    modules are no layers.
    """
    instances: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for node in nodes:
        for depth, (path, kind) in enumerate(_module_stack(node)):
            name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
            if path.split(".")[-1].isdigit() and not name.startswith("torch.nn.modules."):
                instances[name].setdefault(path, depth)
    if not instances:
        return {}
    layer_class = max(
        instances, key=lambda name: (len(instances[name]), -min(instances[name].values()))
    )
    layers = instances[layer_class]
    if len(layers) < 2:
        return {}
    short = layer_class.rsplit(".", 1)[-1]
    starts: dict[Node, SplitReason] = {}
    current = ""
    for node in nodes:
        layer = next((path for path, _ in _module_stack(node) if path in layers), "")
        if layer != current and node.target is not operator.getitem:
            detail = f"{short} {layer}" if layer else f"end of {short} {current}"
            starts[node] = SplitReason("repeated layer", detail)
            current = layer
    return starts


# --- the pieces ----------------------------------------------------------------------------------


@dataclass
class _Piece:
    reason: SplitReason
    nodes: list[Node]
    splitting: bool


def _is_size(node: Node, sizes: set[Node], inputs: set[str]) -> bool:
    """Whether the stitching graph computes this node itself: a size of an input, or from sizes."""
    if node.target is torch.ops.aten.sym_size.int:
        return isinstance(node.args[0], Node) and node.args[0].name in inputs
    arithmetic = node.target in _SIZE_ARITHMETIC
    return bool(arithmetic and node.all_input_nodes and set(node.all_input_nodes) <= sizes)


def _partition(
    captured: Captured,
    nodes: Sequence[Node],
    own_piece: Mapping[Node, SplitReason],
    starts: Mapping[Node, SplitReason],
) -> tuple[list[_Piece], list[Node]]:
    inputs = {spec.placeholder for spec in captured.inputs}
    sizes: set[Node] = set()
    ordered_sizes: list[Node] = []
    pieces: list[_Piece] = []
    home: dict[Node, _Piece] = {}
    open_piece: _Piece | None = None
    reason = SplitReason("start")
    for node in nodes:
        if _is_size(node, sizes, inputs):
            sizes.add(node)
            ordered_sizes.append(node)
            continue
        if node.target is operator.getitem and node.args[0] in home:
            producer = home[node.args[0]]
            producer.nodes.append(node)
            home[node] = producer
            continue
        if node in own_piece:
            piece = _Piece(own_piece[node], [node], True)
            pieces.append(piece)
            home[node] = piece
            open_piece = None
            reason = SplitReason("after", str(own_piece[node]))
            continue
        if node in starts:
            open_piece, reason = None, starts[node]
        if open_piece is None:
            open_piece = _Piece(reason, [], False)
            pieces.append(open_piece)
        open_piece.nodes.append(node)
        home[node] = open_piece
    return pieces, ordered_sizes


def _yields_tensor(node: Node) -> bool:
    value = node.meta.get("val")
    if isinstance(value, (list, tuple)):
        return any(isinstance(v, torch.Tensor) for v in value)
    return isinstance(value, torch.Tensor)


def _build(captured: Captured, parts: tuple[list[_Piece], list[Node]]) -> SplitGraph:
    pieces, sizes = parts
    source = captured.graph_module
    home = {node: number for number, piece in enumerate(pieces) for node in piece.nodes}
    stitched = Graph()
    root = torch.nn.Module()
    copies: dict[Node, Node] = {}
    for node in source.graph.nodes:
        if node.op == "placeholder":
            copies[node] = stitched.node_copy(node, lambda n: copies[n])
    for node in sizes:
        copies[node] = stitched.node_copy(node, lambda n: copies[n])
    symbols = _SymbolNodes(captured, stitched, copies)
    submodules = []
    for number, piece in enumerate(pieces):
        graph_module, arguments, results = _extract(source, piece.nodes, home, number)
        compiled = not piece.splitting and any(map(_yields_tensor, piece.nodes)) and bool(results)
        name = f"submod_{number}"
        root.add_module(name, torch.nn.Module())  # its place; see below
        passed = [copies[n] for n in arguments]
        if compiled:
            passed += symbols.bind_missing(graph_module)
        call = stitched.call_module(name, tuple(passed))
        call.meta["val"] = tuple(n.meta.get("val") for n in results)
        for position, node in enumerate(results):
            item = stitched.call_function(operator.getitem, (call, position), name=node.name)
            item.meta = dict(node.meta)
            copies[node] = item
        submodules.append(
            Submodule(
                index=number,
                name=name,
                graph_module=graph_module,
                inlined=not compiled,
                reason=piece.reason,
                module_path=_common_path(piece.nodes),
                n_nodes=len(piece.nodes),
                inputs=tuple(n.name for n in passed),
                outputs=tuple(copies[n].name for n in results),
            )
        )
    output = next(n for n in source.graph.nodes if n.op == "output")
    for node in output.all_input_nodes:
        if node.op == "get_attr" and node not in copies:
            setattr(root, str(node.target), getattr(source, str(node.target)))
            copies[node] = stitched.node_copy(node)
    result = stitched.output(torch.fx.map_arg(output.args[0], lambda n: copies[n]))
    result.meta = dict(output.meta)
    graph_module = GraphModule(root, stitched, f"{captured.model_name}Stitched")
    # Only now: a GraphModule writes the code of all its children again when it is made.
    for submodule in submodules:
        graph_module.add_module(submodule.name, submodule.graph_module)
    return SplitGraph(graph_module, tuple(submodules), captured)


class _SymbolNodes:
    """The stitching graph's node for every symbolic size of the inputs, made when first needed.

    Inductor binds a symbol from an input that has it as a dimension or is it. A submodule whose
    inputs only have expressions over a symbol, ``2*seq``, is passed the size itself as well.
    """

    def __init__(self, captured: Captured, stitched: Graph, copies: Mapping[Node, Node]) -> None:
        self._stitched = stitched
        self._nodes: dict[Any, Node] = {}
        self._places: dict[Any, tuple[Node, int, Any]] = {}
        inputs = {spec.placeholder for spec in captured.inputs}
        for original, copy in copies.items():
            value = copy.meta.get("val")
            if torch_internals.is_symbolic_int(value):
                self._nodes.setdefault(torch_internals.symbolic_expression(value), copy)
            if original.name in inputs and isinstance(value, torch.Tensor):
                for dim, size in enumerate(value.shape):
                    if torch_internals.is_symbolic_int(size):
                        expression = torch_internals.symbolic_expression(size)
                        self._places.setdefault(expression, (copy, dim, size))

    def _node(self, symbol: Any) -> Node | None:
        if symbol not in self._nodes and symbol in self._places:
            tensor, dim, size = self._places[symbol]
            node = self._stitched.call_function(torch.ops.aten.sym_size.int, (tensor, dim))
            node.meta["val"] = size
            self._nodes[symbol] = node
        return self._nodes.get(symbol)

    def bind_missing(self, graph_module: GraphModule) -> list[Node]:
        """Add a placeholder for every symbol that no input binds; the nodes to pass for them."""
        bound: set[Any] = set()
        needed: set[Any] = set()
        for node in graph_module.graph.nodes:
            for size in sizes_of(node.meta.get("val")):
                expression = torch_internals.symbolic_expression(size)
                needed |= expression.free_symbols
                if node.op == "placeholder" and expression.is_Symbol:
                    bound.add(expression)
        added = []
        for symbol in sorted(needed - bound, key=str):
            node = self._node(symbol)
            if node is None:
                continue  # it is born inside the submodule
            last = [n for n in graph_module.graph.nodes if n.op == "placeholder"]
            first = next(iter(graph_module.graph.nodes))
            with graph_module.graph.inserting_after(last[-1]) if last else (
                graph_module.graph.inserting_before(first)
            ):
                extra = graph_module.graph.placeholder(node.name)
            extra.meta["val"] = node.meta["val"]
            added.append(node)
        if added:
            graph_module.recompile()
        return added


def sizes_of(value: Any) -> list[Any]:
    """The symbolic numbers in a fake value: itself, or a tensor's sizes, strides and offset."""
    if isinstance(value, (list, tuple)):
        return [size for item in value for size in sizes_of(item)]
    if isinstance(value, torch.Tensor):
        numbers = [*value.shape]
        if value.layout is torch.strided:
            numbers += [*value.stride(), value.storage_offset()]
        return [n for n in numbers if torch_internals.is_symbolic_int(n)]
    return [value] if torch_internals.is_symbolic_int(value) else []


def _extract(
    source: GraphModule, nodes: Sequence[Node], home: Mapping[Node, int], number: int
) -> tuple[GraphModule, list[Node], list[Node]]:
    """A GraphModule of some nodes; the nodes it takes, in order of use, and those it returns."""
    graph = Graph()
    root = torch.nn.Module()
    copies: dict[Node, Node] = {}
    arguments: list[Node] = []
    members = set(nodes)
    for node in nodes:
        for needed in node.all_input_nodes:
            if needed in members or needed in copies:
                continue
            if needed.op == "get_attr":
                _copy_attribute(source, root, str(needed.target))
                copies[needed] = graph.get_attr(str(needed.target))
                copies[needed].meta = dict(needed.meta)
            else:
                copies[needed] = graph.placeholder(needed.name)
                copies[needed].meta = {"val": needed.meta.get("val")}
                arguments.append(needed)
    for node in nodes:
        copies[node] = graph.node_copy(node, lambda n: copies[n])
    results = [n for n in nodes if any(home.get(user) != number for user in n.users)]
    # A tuple is never passed between submodules: its items are.
    results = [n for n in results if not isinstance(n.meta.get("val"), (list, tuple))]
    graph.output(tuple(copies[n] for n in results))
    return GraphModule(root, graph, f"submod_{number}"), arguments, results


def _copy_attribute(source: GraphModule, root: torch.nn.Module, target: str) -> None:
    value: Any = source
    for part in target.split("."):
        value = getattr(value, part)
    if "." in target:
        raise SplitError(f"The graph reads {target}, which is nested.", "Report this model.")
    setattr(root, target, value)


def _common_path(nodes: Sequence[Node]) -> str:
    """Where in the model some nodes are: ``model.layers.0.mlp``, ``model.layers.0 -> model.layers.1``.

    The innermost module that holds all of them, or the first and the last layer that they touch.
    """
    common: list[str] | None = None
    layers: list[str] = []
    for node in nodes:
        stack = [path for path, _ in _module_stack(node)]
        if not stack:
            continue
        layer = next((p for p in reversed(stack) if p.rpartition(".")[2].isdigit()), "")
        if layer and layer not in layers:
            layers.append(layer)
        common = stack if common is None else common
        common = [a for a, b in zip(common, stack, strict=False) if a == b]
    inside = common[-1] if common else ""
    if len(layers) > 1 and not any(p.isdigit() for p in inside.split(".")):
        return f"{layers[0]} -> {layers[-1]}"
    return inside
