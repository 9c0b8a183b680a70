"""kernels of other programs -> the kernel that submodules share with one of them.

A kernel relies on what its compile recorded of sizes. Where a program takes it over, the same is
true of the symbols that its own submodules have in the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...records import NearTwin
from ..graph.split import Submodule
from ..sizes.kernel_guards import GuardsOfKernels, places_between, sizes_in
from .lowered import Kernel, Reusable


def take_over(
    found: Reusable,
    index: int,
    subs: Sequence[Submodule],
    near_twin: NearTwin | None,
    guards: GuardsOfKernels,
) -> Kernel:
    """The kernel for these twins, which costs no compile; what it relies on is noted."""
    guards.add_guards(
        found.guards, [places_between(found.sizes, sizes_in(sub.graph_module)) for sub in subs]
    )
    return replace(
        found.kernel,
        index=index,
        submodules=tuple(sub.index for sub in subs),
        near_twin=near_twin,
        seconds=0.0,
    )


def before_compile(first: Submodule) -> Callable[[Kernel, Sequence[Any]], Reusable | None]:
    """What makes a compiled kernel and its guards reusable, to be asked before the compile.

    It gives None where the compile laid the outputs out anew, for what comes after them here.
    """
    sizes, count = sizes_in(first.graph_module), len(first.graph_module.graph.nodes)

    def reusable(kernel: Kernel, guards: Sequence[Any]) -> Reusable | None:
        if len(first.graph_module.graph.nodes) != count:
            return None
        return Reusable(kernel, sizes, tuple(guards))

    return reusable
