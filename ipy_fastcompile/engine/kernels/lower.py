"""SplitGraph -> Lowered: every distinct submodule compiled once by Inductor, its twins for free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch.fx import GraphModule, Node

from ...errors import warn_user
from ...interrupts import check_whole
from ...records import NearTwin
from ...torch_compat import guards, inductor
from ..graph.boundaries import REFUSED
from ..graph.layout import settle_layouts
from ..graph.split import SplitGraph, Submodule
from ..graph.twins import Description, describe, first_difference
from ..graph.weights import weight_positions
from ..sizes.kernel_guards import GuardsOfKernels, places_of, symbol_ranges
from .compile import at_size, compile_kernel, compile_variant
from .culprit import refused_node
from .lowered import Kernel, Key, Lowered, Reusable, Variant
from .reuse import before_compile, take_over
from .trust import trusting
from .variants import size_variants

OnKernel = Callable[[int, int, str], None]  # (kernels done, kernels in all, submodule's name)


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
    in `compile_kernel`.
    """
    settle_layouts(split, at_size)
    of_kernels = GuardsOfKernels(split)
    ranges = symbol_ranges(split)
    descriptions = tuple(describe(sub.graph_module, ranges) for sub in split.submodules)
    groups: dict[str, list[Submodule]] = {}
    for sub, description in zip(split.submodules, descriptions, strict=True):
        if not sub.inlined:
            groups.setdefault(description.digest, []).append(sub)
    kernels: list[Kernel] = []
    failures = {s.index: s.reason.detail for s in split.submodules if s.reason.kind == REFUSED}
    refused: dict[str, str] = {}
    variants = size_variants(split, sizes or {})
    given_up: set[Variant] = set()
    made: dict[Key, Reusable] = {}
    total = len(groups) * (1 + len(variants))
    done = 0
    for digest, subs in groups.items():
        first = subs[0]
        if on_kernel:
            on_kernel(done, total, first.name)
        near = _near_twin(first, descriptions, kernels)
        weights = weight_positions(split, subs)
        key = digest, weights
        if known and key in known and not variants:
            kernel = take_over(known[key], len(kernels), subs, near, of_kernels)
            made[key] = known[key]
            kernels.append(kernel)
            done += 1
            continue
        places, make_reusable = places_of(subs), before_compile(first)
        try:
            kernel = compile_kernel(
                first.graph_module,
                len(kernels),
                digest,
                tuple(s.index for s in subs),
                near,
                weights,
                explain=explain,
            )
        except Exception as error:  # noqa: BLE001 - Inductor raises whatever its passes raise
            check_whole(error)
            failures.update({sub.index: said(error) for sub in subs})
            node = refused_node(first.graph_module, error, _try)
            if node is not None:
                refused |= _same_nodes(node, subs, said(error))
            done += 1 + len(variants)
            continue
        reusable = make_reusable(kernel, of_kernels.add(places))
        if reusable is not None and not variants:
            made[key] = reusable
        done += 1
        extra: dict[Variant, Kernel] = {}
        for variant in variants:
            if on_kernel:
                on_kernel(done, total, f"{first.name} at {variant}")
            done += 1
            if variant in given_up:
                continue
            try:
                extra[variant] = compile_variant(first.graph_module, kernel, variant, split)
            except Exception as error:  # noqa: BLE001 - Inductor raises whatever its passes raise
                check_whole(error)
                given_up.add(variant)
                _warn_of_variant(variant, first.name, said(error))
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
    kernels = trusting(split, kernels)
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


def _near_twin(
    first: Submodule, descriptions: tuple[Description, ...], kernels: list[Kernel]
) -> NearTwin | None:
    """Why this submodule does not share the kernel of an earlier one that has the same ops."""
    for kernel in kernels:
        earlier = kernel.submodules[0]
        difference = first_difference(descriptions[first.index], descriptions[earlier])
        if difference is not None:
            return NearTwin(kernel.index, earlier, *difference)
    return None


def _warn_of_variant(variant: Variant, name: str, reason: str) -> None:
    asked = ", ".join(f"{symbol}={size}" for symbol, size in variant)
    warn_user(
        f"There are no kernels of their own for {asked}: Inductor refused {name} at these sizes "
        f"({reason}). Calls of these sizes run the kernels for all sizes."
    )
