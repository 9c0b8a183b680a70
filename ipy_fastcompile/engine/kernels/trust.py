"""kernels of a program -> the same, with texts that know how the program's tensors are laid out.

A kernel's text asserts sizes and strides of what it is given. What one kernel returns exactly as
the graph says needs no second look by the next: a third of the assertions of a layer, or more, and
each costs as much as an allocation. What ops between the kernels return is still looked at. A load
runs either no recompiled kernel or only such, since another compiler may lay out results otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from torch.fx import Node

from ..graph.split import SplitGraph
from ..graph.weights import held_nodes, known_positions
from .handed import handed_to, views_of_weights
from .lowered import Kernel
from .memories import Layout
from .native import rewrite_kernel

Views = Mapping[str, Layout]


def trusting(split: SplitGraph, kernels: Sequence[Kernel]) -> tuple[list[Kernel], Views]:
    """The same kernels, with native texts that trust what the kernels of this program return.

    Also how they take weights that they take in another layout, by the placeholders of the graph.
    """
    by_name = {split.submodules[n].name: kernel for kernel in kernels for n in kernel.submodules}
    held = held_nodes(split)

    def trusted(kernel: Kernel, views: Mapping[Node, Layout]) -> Kernel:
        names = {split.submodules[n].name for n in kernel.submodules}
        weights = known_positions(split, names, lambda value: value in held)
        known = known_positions(
            split, names, lambda value: value in held or _is_returned(value, by_name)
        )
        given = handed_to(kernel, split, views)
        # At a fixed size other kernels may return something else than at any.
        sizes = {v: _rewritten(each, weights, given) for v, each in kernel.sizes.items()}
        return replace(_rewritten(kernel, known, given), sizes=sizes)

    kernels = [trusted(kernel, {}) for kernel in kernels]
    views = views_of_weights(split, kernels)
    if views:
        kernels = [trusted(kernel, views) for kernel in kernels]
    return list(kernels), {node.name: layout for node, layout in views.items()}


def _rewritten(kernel: Kernel, known: Set[int], given: Mapping[int, Layout]) -> Kernel:
    if kernel.native is None:
        return kernel
    native, _ = rewrite_kernel(kernel.parts, kernel.native.name, known, given)
    return kernel if native is None else replace(kernel, native=native)


def _is_returned(value: Any, by_name: Mapping[str, Kernel]) -> bool:
    """Whether a value is what a kernel returns exactly as the graph says."""
    if not isinstance(value, Node) or value.target is not operator.getitem:
        return False
    made: Any = value.args[0]
    kernel = by_name.get(made.target) if made.op == "call_module" else None
    return kernel is not None and value.args[1] in kernel.exact
