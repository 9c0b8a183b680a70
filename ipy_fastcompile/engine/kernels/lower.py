"""SplitGraph -> Lowered: every distinct submodule compiled once by Inductor, its twins for free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.fx import GraphModule, Node

from ...errors import warn_user
from ...interrupts import check_whole
from ...torch_compat import guards, inductor, objects
from ..graph.boundaries import REFUSED
from ..graph.split import SplitGraph, Submodule
from ..graph.twins import describe
from ..graph.weights import weight_positions
from ..sizes.kernel_guards import GuardsOfKernels, places_of
from .compile import Begun, begin_kernel, compile_variant, finish_kernel
from .culprit import refused_node
from .grouped import group_twins, near_twin
from .lowered import Kernel, Key, Lowered, Reusable, Variant
from .reuse import before_compile, take_over
from .trust import trusting
from .variants import size_variants


@dataclass(frozen=True)
class _Begun:
    """A kernel under way, what makes it reusable, and the guards that its compile recorded."""

    kernel: Begun
    make_reusable: Callable[[Kernel, Sequence[Any]], Reusable | None]
    guards: Sequence[Any]


OnKernel = Callable[[int, int, str], None]  # (kernels done, kernels in all, submodule's name)


@objects.kept_objects()  # here, as builds may come after the compile that asked for them
def lower(
    split: SplitGraph,
    *,
    sizes: Mapping[str, list[int]] | None = None,
    on_kernel: OnKernel | None = None,
    known: Mapping[Key, Reusable] | None = None,
    explain: bool = False,
) -> Lowered:
    """Compile every distinct submodule of a split graph.

    A submodule that Inductor cannot compile runs inlined instead; `set_apart` splits again around
    the node that was refused. ``sizes`` asks for extra kernels: ``{"seq": [1, 16]}``. ``known``
    are kernels of other programs, which are taken over where they are the same. ``explain`` is as
    in `begin_kernel`.
    """
    grouped = group_twins(split)
    groups, descriptions = grouped.groups, grouped.descriptions
    of_kernels = GuardsOfKernels(split)
    failures = {s.index: s.reason.detail for s in split.submodules if s.reason.kind == REFUSED}
    refused: dict[str, str] = {}
    variants = size_variants(split, sizes or {})
    total = len(groups) * (1 + len(variants))

    def given_up_on(subs: Sequence[Submodule], error: Exception) -> None:
        check_whole(error)
        failures.update({sub.index: said(error) for sub in subs})
        node = refused_node(subs[0].graph_module, error, _try)
        if node is not None:
            refused.update(_same_nodes(node, subs, said(error)))

    # The C++ of one is built while the next is lowered.
    begun: list[tuple[list[Submodule], Key, _Begun | Reusable]] = []
    for position, (digest, subs) in enumerate(groups.items()):
        if on_kernel:
            on_kernel(position, total, subs[0].name)
        key = digest, weight_positions(split, subs)
        if known and key in known and not variants:
            begun.append((subs, key, known[key]))
            continue
        places, make_reusable = places_of(subs), before_compile(subs[0])
        try:
            first = begin_kernel(subs[0].graph_module, *key, explain=explain)
        except Exception as error:  # noqa: BLE001 - Inductor raises whatever its passes raise
            given_up_on(subs, error)
        else:
            begun.append((subs, key, _Begun(first, make_reusable, of_kernels.add(places))))
    kernels: list[Kernel] = []
    given_up: set[Variant] = set()
    made: dict[Key, Reusable] = {}
    done = len(groups)
    for subs, key, under_way in begun:
        earlier = ((kernel.index, kernel.submodules[0]) for kernel in kernels)
        near = near_twin(subs[0], descriptions, earlier)
        if isinstance(under_way, Reusable):
            made[key] = under_way
            kernels.append(take_over(under_way, len(kernels), subs, near, of_kernels))
            continue
        try:
            indices = tuple(sub.index for sub in subs)
            kernel = finish_kernel(under_way.kernel, len(kernels), indices, near)
        except Exception as error:  # noqa: BLE001 - a compiler that is not there, or does not take it
            given_up_on(subs, error)
            continue
        reusable = under_way.make_reusable(kernel, under_way.guards)
        if reusable is not None and not variants:
            made[key] = reusable
        extra: dict[Variant, Kernel] = {}
        for variant in variants:
            if on_kernel:
                on_kernel(done, total, f"{subs[0].name} at {variant}")
            done += 1
            if variant in given_up:
                continue
            try:
                extra[variant] = compile_variant(subs[0].graph_module, kernel, variant, split)
            except Exception as error:  # noqa: BLE001 - Inductor raises whatever its passes raise
                check_whole(error)
                given_up.add(variant)
                _warn_of_variant(variant, subs[0].name, said(error))
        if extra:
            kernel = replace(kernel, sizes=extra)
        kernels.append(kernel)
    if on_kernel:
        on_kernel(total, total, "")
    # A size has kernels of its own for all of the model, or for none of it.
    kernels = [
        replace(k, sizes={v: inner for v, inner in k.sizes.items() if v not in given_up})
        for k in kernels
    ]
    kernels, views = trusting(split, kernels)
    kernel_of = {submodule: kernel.index for kernel in kernels for submodule in kernel.submodules}
    return Lowered(
        split,
        tuple(kernels),
        tuple(kernel_of.get(sub.index) for sub in split.submodules),
        descriptions,
        failures,
        refused,
        of_kernels.conditions(),
        of_kernels.of_data(),
        made,
        views,
    )


def said(error: BaseException) -> str:
    """What an error of Inductor says, on one line."""
    only = guards.only_size(error)
    if only:
        return f"Inductor would compile it for the size {only} only"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]:.200}"


def _try(graph_module: GraphModule) -> None:
    inputs = [n.meta["val"] for n in graph_module.graph.nodes if n.op == "placeholder"]
    inductor.compile_submodule(graph_module, inputs, describe(graph_module).digest)


def _same_nodes(node: Node, subs: Sequence[Submodule], why: str) -> dict[str, str]:
    """The nodes in the place of a refused one in all twins, by their names in the graph."""
    position = list(subs[0].graph_module.graph.nodes).index(node)
    return {list(sub.graph_module.graph.nodes)[position].name: why for sub in subs}


def _warn_of_variant(variant: Variant, name: str, reason: str) -> None:
    asked = ", ".join(f"{symbol}={size}" for symbol, size in variant)
    warn_user(
        f"There are no kernels of their own for {asked}: Inductor refused {name} at these sizes "
        f"({reason}). Calls of these sizes run the kernels for all sizes."
    )
