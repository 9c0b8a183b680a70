"""captured graph + model -> what it writes to and which tensors are one, or a CaptureError.

A graph takes each of its inputs for memory of its own. Where tensors of the model share memory and
the call writes to it, the graph is rewritten: one of them becomes a view of the other. Where that
is not possible, the graph would compute something else than the model, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...errors import CaptureError
from ...runtime.plain import extent, overlaps_itself
from .writes import takes_default_dtype, written_placeholders

_APART = "Give each of them memory of its own, with clone()."


@dataclass(frozen=True)
class Tie:
    """``other``, a name of the model, is memory that the graph takes from ``name``.

    It begins ``offset`` elements behind it and is contiguous; ``shape`` is None where both are the
    same tensor.
    """

    name: str
    other: str
    offset: int = 0
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Memory:
    """What a graph does to memory that is not its own.

    ``written`` are placeholders. ``default_dtype`` is "" where it changes nothing.
    """

    written: frozenset[str] = frozenset()
    ties: tuple[Tie, ...] = ()
    default_dtype: str = ""


@dataclass(frozen=True)
class _Row:
    """A tensor that the graph takes; ``name`` is what the user calls it."""

    node: Node
    name: str
    kind: str  # "parameter" | "buffer" | "constant" | "input"
    tensor: torch.Tensor

    def overlaps(self, other: _Row) -> bool:
        (a, b), (c, d) = extent(self.tensor), extent(other.tensor)
        return a < b and c < d and a < d and c < b

    def covers(self, other: _Row) -> bool:
        (a, b), (c, d) = extent(self.tensor), extent(other.tensor)
        return a <= c and d <= b


def memory_of(
    graph_module: GraphModule,
    module: torch.nn.Module,
    parameters: Sequence[Any],
    inputs: Sequence[Any],
    constants: Mapping[str, torch.Tensor],
    leaves: Sequence[Any],
) -> Memory:
    """What the graph of a module writes to, after tensors that are one memory became one.

    ``parameters`` and ``inputs`` are the specifications of its placeholders, ``leaves`` those of
    the example call.

    Raises CaptureError naming two tensors that share memory of which the model writes to one.
    """
    held: dict[str, torch.Tensor] = dict(module.named_parameters(remove_duplicate=False))
    held |= dict(module.named_buffers(remove_duplicate=False))
    nodes = {n.name: n for n in graph_module.graph.nodes if n.op == "placeholder"}
    rows = []
    for spec in parameters:
        found = constants.get(spec.name) if spec.kind == "constant" else held.get(spec.name)
        if found is not None and nodes[spec.placeholder].users:
            rows.append(_Row(nodes[spec.placeholder], spec.name, spec.kind, found))
    for spec, leaf in zip(inputs, leaves, strict=True):
        if isinstance(leaf, torch.Tensor):
            rows.append(_Row(nodes[spec.placeholder], f"argument {spec.path}", "input", leaf))
    written = written_placeholders(graph_module)
    views = _unify(graph_module, rows, written) if written else []
    written = written_placeholders(graph_module) if views else written
    rows = [row for row in rows if row.node.users]
    for row in rows:
        _check_written(row, rows, written)
        if row.kind == "constant":
            _check_constant(row, held)
    dtype = str(torch.get_default_dtype())[6:] if takes_default_dtype(graph_module) else ""
    return Memory(written, (*views, *_same_objects(rows, held, views)), dtype)


def _same_objects(
    rows: Sequence[_Row], held: Mapping[str, torch.Tensor], views: Sequence[Tie]
) -> list[Tie]:
    """Other names of the tensors that the graph uses."""
    bound = {row.name for row in rows}
    known = {tie.other for tie in views}
    names = {id(row.tensor): row.name for row in rows if row.kind in ("parameter", "buffer")}
    return [
        Tie(names[id(tensor)], name)
        for name, tensor in held.items()
        if id(tensor) in names and name not in bound | known
    ]


# --- one memory, several names -------------------------------------------------------------------


def _unify(graph_module: GraphModule, rows: Sequence[_Row], written: frozenset[str]) -> list[Tie]:
    """Make views of tensors of the model that share memory with a larger one that is written to."""
    own = [row for row in rows if row.kind in ("parameter", "buffer")]
    # The largest one first: what it covers is expressed in terms of it.
    own.sort(key=lambda row: -row.tensor.numel())
    ties: list[Tie] = []
    for position, base in enumerate(own):
        group = [row for row in own[position + 1 :] if row.node.users and base.overlaps(row)]
        if not base.node.users or not any(row.node.name in written for row in (base, *group)):
            continue
        for row in group:
            tie = _tie(base, row)
            if tie is not None:
                row.node.replace_all_uses_with(_view(graph_module, base.node, tie))
                ties.append(tie)
    graph_module.recompile()
    return ties


def _tie(base: _Row, row: _Row) -> Tie | None:
    """How a tensor follows from one that covers it; None where no view gives it."""
    a, b = base.tensor, row.tensor
    if a.dtype is not b.dtype or not base.covers(row):
        return None
    if a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride():
        return Tie(base.name, row.name)
    offset, rest = divmod(b.data_ptr() - a.data_ptr(), a.element_size())
    if rest or not a.is_contiguous() or not b.is_contiguous():
        return None
    return Tie(base.name, row.name, offset, tuple(b.shape))


def _view(graph_module: GraphModule, base: Node, tie: Tie) -> Node:
    if tie.shape is None:
        return base
    graph = graph_module.graph
    last = [node for node in graph.nodes if node.op == "placeholder"][-1]
    count = torch.Size(tie.shape).numel()
    aten = torch.ops.aten
    node = base
    for op, args in (
        (aten.view.default, ([-1],)),
        (aten.slice.Tensor, (0, tie.offset, tie.offset + count)),
        (aten.view.default, (list(tie.shape),)),
    ):
        with graph.inserting_after(last):
            made = graph.call_function(op, (node, *args))
        made.meta["val"] = without_base(op(node.meta["val"], *args))
        node = last = made
    return node


def without_base(value: Any) -> Any:
    """A fake tensor like a view, but none: no graph can be stored with the base of one."""
    with value.fake_mode:
        return torch.empty_strided(
            value.shape, value.stride(), dtype=value.dtype, device=value.device
        )


# --- what cannot be ------------------------------------------------------------------------------


def _check_written(row: _Row, rows: Sequence[_Row], written: frozenset[str]) -> None:
    if row.node.name not in written:
        return
    if overlaps_itself(row.tensor):
        raise CaptureError(
            f"The model writes to {row.name}, several elements of which are one place in memory.",
            "Use a tensor with memory for each element: clone() makes one.",
            name=row.name,
        )
    for other in rows:
        if other is not row and row.overlaps(other):
            raise CaptureError(
                f"{row.name} and {other.name} share memory, and the model writes to {row.name}: "
                "the captured graph takes them for two.",
                _APART,
                name=row.name,
            )


def _check_constant(row: _Row, held: Mapping[str, torch.Tensor]) -> None:
    """Refuse attributes that are memory of parameters: their values would stay in the artifact."""
    for name, tensor in held.items():
        other = _Row(row.node, name, "parameter", tensor)
        if isinstance(tensor, torch.nn.Parameter) and row.overlaps(other):
            raise CaptureError(
                f"The attribute {row.name} is memory of the parameter {name}: its values would be "
                "stored in the artifact, and not follow the parameter.",
                f"Compute it from {name} in forward().",
                name=row.name,
            )
