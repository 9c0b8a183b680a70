"""nodes -> where to cut, each cut with its reason: splitting ops, or repeated layers."""

from __future__ import annotations

import collections
import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.fx import GraphModule, Node

from ...errors import SplitError
from ...torch_compat import ops

# The kind of a boundary at a node that Inductor refuses: it runs uncompiled, all others do not.
REFUSED = "not compiled"
# Splitting ops, unless `split_at` says otherwise: attention, whoever registers it.
_ATTENTION = re.compile(r"attention|attn")


@dataclass(frozen=True)
class SplitReason:
    """Why there is a boundary before a node: ``splitting op aten::mm``, say."""

    kind: str  # "splitting op" | "repeated layer" | any word of a user's own function
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


SplitFunction = Callable[[Node], SplitReason | None]


def op_name(node: Node) -> str:
    """``aten::mm`` for a call of torch.ops.aten.mm.default; the function's name for all else."""
    if ops.is_op(node.target):
        return ops.op_and_overload(node.target)[0]
    return str(getattr(node.target, "__name__", node.target))


def split_at_attention(node: Node) -> SplitReason | None:
    """The default: cut at every op that has attention in its name."""
    if not ops.is_op(node.target):
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
        is_op = ops.is_op(node.target)
        overload = ops.op_and_overload(node.target)[1] if is_op else ""
        if name in wanted or f"{name}.{overload}" in wanted:
            return SplitReason("splitting op", name)
        return None

    return reason


def splitting_nodes(
    nodes: Sequence[Node], split_at: Sequence[str] | str | SplitFunction | None
) -> dict[Node, SplitReason]:
    """The nodes that get a submodule of their own; see `split` for ``split_at``."""
    if split_at is None:
        function: SplitFunction = split_at_attention
    elif callable(split_at):
        function = split_at
    else:
        function = split_at_ops((split_at,) if isinstance(split_at, str) else split_at)
    found: dict[Node, SplitReason] = {}
    for node in nodes:
        if node.target is operator.getitem:
            continue
        try:
            reason = function(node)
        except Exception as error:
            raise SplitError(
                f"split_at raised {type(error).__name__} for node {node.name}: {error}.",
                "It is called with every node of the graph; return None for those to leave.",
                node=node.name,
            ) from error
        if reason is None:
            continue
        if not isinstance(reason, SplitReason):
            raise SplitError(
                f"split_at returned {reason!r:.40} for node {node.name}.",
                "It should return a SplitReason, or None for no cut.",
                node=node.name,
            )
        found[node] = reason
    return found


def split_at_each(
    graphs: Sequence[GraphModule], split_at: Sequence[str] | str | SplitFunction | None
) -> list[Sequence[str] | SplitFunction | None]:
    """Where to cut each of several graphs, at those of the named ops that it has.

    Raises SplitError for a name that none of them has.
    """
    if split_at is None or callable(split_at):
        return [split_at] * len(graphs)
    names = (split_at,) if isinstance(split_at, str) else tuple(split_at)
    nodes = [[n for n in graph.graph.nodes if n.op == "call_function"] for graph in graphs]
    found = [[name for name in names if any(map(split_at_ops([name]), own))] for own in nodes]
    for name in names:
        if not any(name in own for own in found):
            raise _no_such_op(name, [node for own in nodes for node in own])
    return list(found)


def _no_such_op(name: str, nodes: Iterable[Node]) -> SplitError:
    present = sorted({op_name(n) for n in nodes if n.target is not operator.getitem})
    near = difflib.get_close_matches(name, present, 3)
    return SplitError(
        f"split_at names {name!r}, and the graph has no such op.",
        f"Did you mean {', '.join(near)}?" if near else "print(split_graph) shows its ops.",
        op=name,
        present=tuple(present),
    )


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


def layer_boundaries(nodes: Sequence[Node]) -> dict[Node, SplitReason]:
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


def common_path(nodes: Sequence[Node]) -> str:
    """Where in the model some nodes are: ``layers.0.mlp``, ``layers.0 -> layers.1``.

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
