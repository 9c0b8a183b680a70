"""Captured -> SplitGraph: a stitching graph that calls submodules, each boundary with its reason.

The graph is cut at splitting ops (attention by default; any op by name; any function
``Node -> SplitReason | None``). Where it has none of them, it is cut at the boundaries of those
repeated layers that share a kernel. Sizes that follow from the inputs' shapes stay in the stitching
graph.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from ...errors import SplitError
from ...torch_compat import lazy_graphs, symbolic
from ..calls.captured import Captured
from ..sizes.expressions import solve_linear
from .boundaries import (
    REFUSED,
    SplitFunction,
    SplitReason,
    common_path,
    layer_boundaries,
    op_name,
    split_at_each,
    splitting_nodes,
)
from .known_values import COMPARES
from .paying import paying_boundaries, why_whole
from .twins import describe

# Arithmetic on sizes, which the stitching graph does itself.
_SIZE_ARITHMETIC = frozenset(
    {operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.neg}
)


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


@dataclass(frozen=True, repr=False)
class SplitGraph:
    """The stitching graph, as a GraphModule whose children are the submodules, in call order."""

    graph_module: GraphModule
    submodules: tuple[Submodule, ...]
    captured: Captured
    note: str = ""  # why the graph was not cut at a repeated layer, for a reader

    def __repr__(self) -> str:
        return f"<{self.captured.model_name} split, {len(self.submodules)} submodules>"

    def __str__(self) -> str:
        lines = [f"{self.captured.model_name}: {len(self.submodules)} submodules"]
        width = max((len(sub.module_path or "-") for sub in self.submodules), default=0)
        for sub in self.submodules:
            how = "inlined" if sub.inlined else "compiled"
            place = sub.module_path or "-"
            lines.append(
                f"  {sub.name:<12} {how:<9} {sub.n_nodes:>4} nodes  {place:<{width}}  {sub.reason}"
            )
        return "\n".join(lines)


def split(
    captured: Captured,
    split_at: Sequence[str] | str | SplitFunction | None = None,
    *,
    refused: Mapping[str, str] | None = None,
) -> SplitGraph:
    """Cut a captured graph into submodules.

    Parameters
    ----------
    split_at:
        None for attention ops, op names such as ``"aten::scaled_dot_product_attention"``, or a
        function that gives the reason for cutting at a node, None for no cut.
    refused:
        Nodes that are set apart since Inductor does not compile them: name -> why.

    Raises `SplitError` when a named op is not in the graph.
    """
    nodes = [n for n in captured.graph_module.graph.nodes if n.op == "call_function"]
    (split_at,) = split_at_each([captured.graph_module], split_at)
    own_piece = splitting_nodes(nodes, split_at)
    starts: dict[Node, SplitReason] = {}
    if not own_piece and split_at is None:
        starts = layer_boundaries(nodes)
    for node in nodes:
        if COMPARES in node.meta and node not in own_piece:
            own_piece[node] = SplitReason("compared value", op_name(node))
        if refused and node.name in refused:
            own_piece[node] = SplitReason(REFUSED, f"{op_name(node)}: {refused[node.name]}")
    parts = _partition(captured, nodes, own_piece, starts)
    found = _build(captured, parts)
    if not starts:
        return found
    firsts = [piece.nodes[0] for piece in parts[0]]
    described = [describe(sub.graph_module) for sub in found.submodules]
    paying = paying_boundaries(starts, firsts, described)
    if len(paying) == len(starts):
        return found
    found = _build(captured, _partition(captured, nodes, own_piece, paying))
    return replace(found, note=why_whole(starts, paying, described))


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
        source = node.args[0] if node.args else None
        if node.target is operator.getitem and isinstance(source, Node) and source in home:
            producer = home[source]
            producer.nodes.append(node)
            home[node] = producer
            continue
        if COMPARES in node.meta and isinstance(source, Node) and source in home:
            home[source].nodes.append(node)
            home[node] = home[source]
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
                module_path=common_path(piece.nodes),
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
            if symbolic.is_symbolic_int(value):
                self._nodes.setdefault(symbolic.symbolic_expression(value), copy)
            if original.name in inputs and isinstance(value, torch.Tensor):
                for dim, size in enumerate(value.shape):
                    if symbolic.is_symbolic_int(size):
                        expression = symbolic.symbolic_expression(size)
                        self._places.setdefault(expression, (copy, dim, size))

    def _node(self, symbol: Any) -> Node | None:
        if symbol not in self._nodes and symbol in self._places:
            tensor, dim, size = self._places[symbol]
            node = self._stitched.call_function(torch.ops.aten.sym_size.int, (tensor, dim))
            node.meta["val"] = size
            self._nodes[symbol] = node
        if symbol not in self._nodes:
            self._solve(symbol)
        return self._nodes.get(symbol)

    def _solve(self, symbol: Any) -> None:
        """Make a symbol from a dimension of ``factor*symbol + offset``, if there is one."""
        for expression in self._places:
            solved = solve_linear(expression)
            if solved is None or solved[0] != symbol:
                continue
            node = self._node(expression)
            assert node is not None
            for function, number in ((operator.sub, solved[2]), (operator.floordiv, solved[1])):
                value = function(node.meta["val"], number)
                node = self._stitched.call_function(function, (node, number))
                node.meta["val"] = value
            self._nodes[symbol] = node
            return

    def bind_missing(self, graph_module: GraphModule) -> list[Node]:
        """Add a placeholder for every symbol that no input binds; the nodes to pass for them."""
        bound: set[Any] = set()
        needed: set[Any] = set()
        for node in graph_module.graph.nodes:
            for size in sizes_of(node.meta.get("val")):
                expression = symbolic.symbolic_expression(size)
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
            with (
                graph_module.graph.inserting_after(last[-1])
                if last
                else (graph_module.graph.inserting_before(first))
            ):
                extra = graph_module.graph.placeholder(node.name)
                extra.target = extra.name  # FX writes the target as the argument's name
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
        return [n for n in numbers if symbolic.is_symbolic_int(n)]
    return [value] if symbolic.is_symbolic_int(value) else []


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
    graph_module = lazy_graphs.lazy_graph_module(root, graph, f"submod_{number}")
    return graph_module, arguments, results


def _copy_attribute(source: GraphModule, root: torch.nn.Module, target: str) -> None:
    value: Any = source
    for part in target.split("."):
        value = getattr(value, part)
    if "." in target:
        raise SplitError(f"The graph reads {target}, which is nested.", "Report this model.")
    setattr(root, target, value)
