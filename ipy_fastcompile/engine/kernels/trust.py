"""kernels of a program -> the same, whose texts assert no layout that another of them returns.

A kernel's text asserts sizes and strides of what it is given. What one kernel returns exactly as
the graph says needs no second look by the next: a third of the assertions of a layer, or more, and
each costs as much as an allocation. What ops between the kernels return is still looked at. A load
runs either no recompiled kernel or only such, since another compiler may lay out results otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch.fx import Node

from ..graph.split import SplitGraph
from ..graph.weights import held_nodes, known_positions
from .lowered import Kernel
from .native import rewrite_kernel


def trusting(split: SplitGraph, kernels: Sequence[Kernel]) -> list[Kernel]:
    """The same kernels, with native texts that trust what the kernels of this program return."""
    by_name = {split.submodules[n].name: kernel for kernel in kernels for n in kernel.submodules}
    held = held_nodes(split)

    def trusted(kernel: Kernel) -> Kernel:
        if kernel.native is None:
            return kernel
        known = known_positions(
            split,
            {split.submodules[n].name for n in kernel.submodules},
            lambda value: value in held or _is_returned(value, by_name),
        )
        native, _ = rewrite_kernel(kernel.parts, kernel.native.name, known)
        return kernel if native is None else replace(kernel, native=native)

    return list(map(trusted, kernels))


def _is_returned(value: Any, by_name: Mapping[str, Kernel]) -> bool:
    """Whether a value is what a kernel returns exactly as the graph says."""
    if not isinstance(value, Node) or value.target is not operator.getitem:
        return False
    made: Any = value.args[0]
    kernel = by_name.get(made.target) if made.op == "call_module" else None
    return kernel is not None and value.args[1] in kernel.exact
