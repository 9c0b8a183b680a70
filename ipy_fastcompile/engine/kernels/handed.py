"""kernels of a program -> how each wants weights to be laid out, and those that all want alike.

A product wants a weight transposed, at every call the same view of the same memory. Where all
kernels that a weight is given to want the same view of it, or no more than its address, a binding
makes that view once, and hands it over in the place of the weight.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.fx import Node

from ...artifact.schema import View
from ..graph.split import SplitGraph
from ..graph.weights import held_nodes
from .lowered import Kernel
from .memories import Layout, Memory, Reader, Unknown
from .native import NativeKernel

# What a kernel wants of an input by its position: a view, or, for None, what it has. An input of
# which it takes no more than the address is left out.
Wishes = Mapping[int, Layout | None]
_Place = tuple[int, int]  # of an argument: kernel, position


def views_of_weights(split: SplitGraph, kernels: Sequence[Kernel]) -> dict[Node, Layout]:
    """The placeholders of the split graph that all kernels want in one other layout, and which."""
    by_name = {split.submodules[n].name: k for k in kernels for n in k.submodules}
    wishes = {kernel.index: _wishes(kernel) for kernel in kernels}
    given: dict[_Place, set[Any]] = {}  # what twins are given there
    taken: dict[Node, set[_Place]] = {node: set() for node in held_nodes(split)}
    found = {node: layout for node in taken if (layout := _possible(node, by_name, wishes))}
    for call in split.graph_module.graph.nodes:
        kernel = by_name.get(call.target) if call.op == "call_module" else None
        for position, value in enumerate(call.args if kernel is not None else ()):
            place = kernel.index, position  # type: ignore[union-attr]
            if isinstance(value, Node) and wishes[place[0]].get(position) is not None:
                given.setdefault(place, set()).add(value)
                taken.setdefault(value, set()).add(place)
    # A kernel has one text for all its twins: what is given to one as it is, is so to all.
    while True:
        kept = {p for p, values in given.items() if found.keys() >= values}
        left = {node: layout for node, layout in found.items() if taken[node] <= kept}
        if len(left) == len(found):
            return found
        found = left


def handed_to(kernel: Kernel, split: SplitGraph, views: Mapping[Node, Layout]) -> dict[int, Layout]:
    """The positions of a kernel's arguments that are views, and how they are laid out."""
    names = {split.submodules[n].name for n in kernel.submodules}
    nodes = split.graph_module.graph.nodes
    call = next(n for n in nodes if n.op == "call_module" and n.target in names)
    wished = {n: layout for n, layout in _wishes(kernel).items() if layout is not None}
    return {n: layout for n, layout in wished.items() if call.args[n] in views}


def as_views(layouts: Mapping[int, Layout]) -> tuple[View, ...]:
    """The same as rows of a manifest, one for each layout."""
    rows: dict[Layout, list[int]] = {}
    for position, layout in layouts.items():
        rows.setdefault(layout, []).append(position)
    return tuple(
        View(ast.literal_eval(layout.size), ast.literal_eval(layout.stride), tuple(positions))
        for layout, positions in rows.items()
    )


def _possible(
    node: Node, by_name: Mapping[str, Kernel], wishes: Mapping[int, Wishes]
) -> Layout | None:
    """The one layout that all kernels want that a weight is given to; None where there is none."""
    wanted: set[Layout | None] = set()
    for user in node.users:
        kernel = by_name.get(str(user.target)) if user.op == "call_module" else None
        if kernel is None or None in _every(kernel):
            return None
        of = wishes[kernel.index]
        wanted |= {of[n] for n, value in enumerate(user.args) if value is node and n in of}
    layout = wanted.pop() if len(wanted) == 1 else None
    return layout if layout is not None and _is_all_of(node.meta["val"], layout) else None


def _is_all_of(weight: torch.Tensor, layout: Layout) -> bool:
    """Whether a view of fixed sizes is over the very memory of a weight that is contiguous."""
    try:
        size, stride = map(ast.literal_eval, (layout.size, layout.stride))
    except ValueError:
        return False
    span = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    return (
        weight.is_contiguous()
        and layout.offset == "0"
        and math.prod(size) == span == weight.numel() > 0
    )


def _every(kernel: Kernel) -> list[NativeKernel | None]:
    """The native form of a kernel and of its variants for fixed sizes, which are given the same."""
    return [each.native for each in (kernel, *kernel.sizes.values())]


def _wishes(kernel: Kernel) -> dict[int, Layout | None]:
    found: dict[int, Layout | None] = {}
    for native in _every(kernel):
        for position, layout in (_wishes_of(native) if native is not None else {}).items():
            found[position] = layout if found.get(position, layout) == layout else None
    return found


def _wishes_of(native: NativeKernel) -> dict[int, Layout | None]:
    function = ast.parse(native.code).body[-1]
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args]
    reader = Reader(names, {built.name for built in native.libraries})
    try:
        list(reader.read(function.body))
    except Unknown:
        return dict.fromkeys(range(len(names)))
    inputs = {memory.name: memory for memory in reader.memories}
    found = {n: _wanted(inputs[name]) for n, name in enumerate(names)}
    return {n: next(iter(layouts)) for n, layouts in found.items() if layouts}


def _wanted(memory: Memory) -> set[Layout | None]:
    """The layout that all uses want, None for that which an input has; nothing of addresses."""
    layouts = {
        use.layout
        for use in memory.uses
        if not (use.is_address and (use.layout is None or use.layout.offset == "0"))
    }
    return layouts if len(layouts) < 2 else {None}
