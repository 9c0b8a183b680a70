"""SplitGraph -> Lowered: every distinct submodule compiled once by Inductor, its twins for free."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...errors import warn_user
from ...interrupts import check_whole
from ...records import NearTwin
from ...torch_compat import compiled, inductor, symbolic
from ..graph.boundaries import REFUSED
from ..graph.layout import settle_layouts, settle_outputs
from ..graph.split import SplitGraph, Submodule
from ..graph.twins import Description, describe, first_difference
from ..graph.weights import weight_positions
from ..sizes.conditions import Condition
from ..sizes.kernel_guards import GuardsOfKernels, symbol_ranges
from ..sizes.phrases import phrase
from .culprit import refused_node
from .native import NativeKernel, rewrite_kernel

OnKernel = Callable[[int, int, str], None]  # (kernels done, kernels in all, submodule's name)


@dataclass(frozen=True)
class Kernel:
    """The compiled form of one or several submodules.

    ``data`` is the artifact of `standalone_compile(aot=True)`, ``parts`` what is inside it, and
    ``native`` its output code rewritten for the native path, or None with the reason in ``why``.
    ``sizes`` holds further kernels for fixed sizes: {(("seq", 1),): Kernel}.
    """

    index: int
    digest: str
    submodules: tuple[int, ...]
    data: bytes
    parts: compiled.CompiledParts
    native: NativeKernel | None
    why: str
    seconds: float
    near_twin: NearTwin | None
    sizes: Mapping[tuple[tuple[str, int], ...], Kernel]


@dataclass(frozen=True)
class Lowered:
    """Kernels, and which of them each submodule runs; None for inlined submodules."""

    split: SplitGraph
    kernels: tuple[Kernel, ...]
    kernel_of: tuple[int | None, ...]
    descriptions: tuple[Description, ...]
    failures: Mapping[int, str]  # submodules that Inductor refused and that run inlined instead
    refused: Mapping[str, str]  # nodes of the captured graph that were refused: set them apart
    conditions: tuple[Condition, ...]  # on sizes: of the graph, and what the kernels add to them
    of_data: tuple[Condition, ...] = ()  # on sizes that depend on values; kernels check them


def lower(
    split: SplitGraph,
    *,
    sizes: Mapping[str, list[int]] | None = None,
    on_kernel: OnKernel | None = None,
) -> Lowered:
    """Compile every distinct submodule of a split graph.

    A submodule that Inductor cannot compile runs inlined instead; `pipeline` splits again around
    the node that was refused. ``sizes`` asks for extra kernels: ``{"seq": [1, 16]}``.
    """
    settle_layouts(split, at_size)
    guards = GuardsOfKernels(split)
    ranges = symbol_ranges(split)
    descriptions = tuple(describe(sub.graph_module, ranges) for sub in split.submodules)
    groups: dict[str, list[Submodule]] = {}
    for sub, description in zip(split.submodules, descriptions, strict=True):
        if not sub.inlined:
            groups.setdefault(description.digest, []).append(sub)
    kernels: list[Kernel] = []
    failures = {s.index: s.reason.detail for s in split.submodules if s.reason.kind == REFUSED}
    refused: dict[str, str] = {}
    kernel_of: list[int | None] = [None] * len(split.submodules)
    variants = size_variants(split, sizes or {})
    given_up: set[tuple[tuple[str, int], ...]] = set()
    total = len(groups) * (1 + len(variants))
    done = 0
    for digest, subs in groups.items():
        first = subs[0]
        if on_kernel:
            on_kernel(done, total, first.name)
        near = _near_twin(first, descriptions, kernels)
        weights = weight_positions(split, subs)
        try:
            kernel = compile_kernel(
                first.graph_module,
                len(kernels),
                digest,
                tuple(s.index for s in subs),
                near,
                weights,
            )
        except Exception as error:  # noqa: BLE001 - Inductor raises whatever its passes raise
            check_whole(error)
            failures.update({sub.index: said(error) for sub in subs})
            node = refused_node(first.graph_module, error, _try)
            if node is not None:
                refused |= _same_nodes(node, subs, said(error))
            done += 1 + len(variants)
            continue
        guards.add(subs)
        done += 1
        extra: dict[tuple[tuple[str, int], ...], Kernel] = {}
        for variant in variants:
            if on_kernel:
                on_kernel(done, total, f"{first.name} at {variant}")
            done += 1
            if variant in given_up:
                continue
            try:
                extra[variant] = _compile_variant(first.graph_module, kernel, variant, split)
            except Exception as error:  # noqa: BLE001 - Inductor raises whatever its passes raise
                check_whole(error)
                given_up.add(variant)
                _warn_of_variant(variant, first.name, said(error))
        if extra:
            kernel = _with_sizes(kernel, extra)
        for sub in subs:
            kernel_of[sub.index] = kernel.index
        kernels.append(kernel)
    if on_kernel:
        on_kernel(total, total, "")
    # A size has kernels of its own for all of the model, or for none of it.
    kernels = [
        _with_sizes(k, {v: inner for v, inner in k.sizes.items() if v not in given_up})
        for k in kernels
    ]
    return Lowered(
        split,
        tuple(kernels),
        tuple(kernel_of),
        descriptions,
        failures,
        refused,
        guards.conditions(),
        guards.of_data(),
    )


def said(error: BaseException) -> str:
    """What an error of Inductor says, on one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]:.200}"


def _try(graph_module: GraphModule) -> None:
    inputs = [n.meta["val"] for n in graph_module.graph.nodes if n.op == "placeholder"]
    inductor.compile_submodule(graph_module, inputs, describe(graph_module).digest)


def _same_nodes(node: Node, subs: Sequence[Submodule], why: str) -> dict[str, str]:
    """The nodes in the place of a refused one in all twins, by their names in the graph."""
    position = list(subs[0].graph_module.graph.nodes).index(node)
    return {list(sub.graph_module.graph.nodes)[position].name: why for sub in subs}


def compile_kernel(
    graph_module: GraphModule,
    index: int,
    digest: str,
    submodules: tuple[int, ...] = (),
    near_twin: NearTwin | None = None,
    weights: frozenset[int] = frozenset(),
) -> Kernel:
    """Compile one submodule; also what the fallback does with a submodule read from FX bytes.

    ``weights`` are the positions of inputs that `weight_positions` found.
    """
    started = time.perf_counter()
    inputs = [n.meta["val"] for n in graph_module.graph.nodes if n.op == "placeholder"]
    data = inductor.compile_submodule(graph_module, inputs, digest)
    if settle_outputs(graph_module, compiled.output_strides(data)):
        data = inductor.compile_submodule(graph_module, inputs, describe(graph_module).digest)
    return _finish(
        data,
        lambda: list(map(at_size, inputs)),
        index,
        digest,
        submodules,
        near_twin,
        started,
        weights,
    )


def _finish(
    data: bytes,
    inputs: Callable[[], Sequence[Any]],
    index: int,
    digest: str,
    submodules: tuple[int, ...],
    near_twin: NearTwin | None,
    started: float,
    weights: frozenset[int],
) -> Kernel:
    parts = compiled.open_compiled(data, inputs)
    native, why = rewrite_kernel(parts, f"kernel_{index}", weights)
    seconds = time.perf_counter() - started
    return Kernel(index, digest, submodules, data, parts, native, why, seconds, near_twin, {})


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


# --- kernels for fixed sizes ---------------------------------------------------------------------


def size_variants(
    split: SplitGraph, sizes: Mapping[str, list[int]]
) -> list[tuple[tuple[str, int], ...]]:
    """``{"seq": [1, 16]}`` -> [(("seq", 1),), (("seq", 16),)]; several names make all pairs.

    Raises InputError for a name that is no symbolic size, or a size out of its range.
    """
    from itertools import product

    from ...errors import InputError

    symbols = {s.name: s for s in split.captured.symbols}
    for name, values in sizes.items():
        if name not in symbols:
            known = ", ".join(symbols) or "none: no dimension is dynamic"
            raise InputError(
                f"sizes names {name!r}, which is not a dynamic dimension.", f"There are: {known}."
            )
        symbol = symbols[name]
        for value in values:
            if value < symbol.min or (symbol.max is not None and value > symbol.max):
                raise InputError(
                    f"sizes asks for {name}={value}, outside its range "
                    f"[{symbol.min}, {symbol.max if symbol.max is not None else 'inf'}].",
                    "Widen the range in `dynamic`.",
                )
    names = [s.name for s in split.captured.symbols if s.name in sizes]
    if not names:
        return []
    if len(names) < len(symbols):
        missing = ", ".join(n for n in symbols if n not in sizes)
        raise InputError(
            f"sizes leaves {missing} open.", "Name a size for every dynamic dimension."
        )
    found = [
        tuple(zip(names, values, strict=True)) for values in product(*(sizes[n] for n in names))
    ]
    for variant in found:
        _check_conditions(split, dict(variant))
    return found


def _check_conditions(split: SplitGraph, variant: Mapping[str, int]) -> None:
    """Refuse sizes that no call can have."""
    from ...errors import InputError

    captured = split.captured
    by_symbol = {symbol: variant[name] for symbol, name in captured.names.items()}
    for condition in captured.conditions:
        if str(condition.expression.subs(by_symbol)) == "False":
            asked = ", ".join(f"{name}={size}" for name, size in variant.items())
            raise InputError(
                f"sizes asks for {asked}, and the model takes sizes only where "
                f"{phrase(condition, captured.names).words}.",
                "Ask for sizes that the model takes.",
            )


def _warn_of_variant(variant: tuple[tuple[str, int], ...], name: str, reason: str) -> None:
    asked = ", ".join(f"{symbol}={size}" for symbol, size in variant)
    warn_user(
        f"There are no kernels of their own for {asked}: Inductor refused {name} at these sizes "
        f"({reason}). Calls of these sizes run the kernels for all sizes."
    )


def _compile_variant(
    graph_module: GraphModule,
    kernel: Kernel,
    variant: tuple[tuple[str, int], ...],
    split: SplitGraph,
) -> Kernel:
    """The kernel for fixed sizes, traced again from the same graph with inputs of these sizes."""
    started = time.perf_counter()
    values = dict(variant)
    by_symbol = {
        symbol: values[name] for symbol, name in split.captured.names.items() if name in values
    }
    inputs = [
        at_size(n.meta["val"], by_symbol) for n in graph_module.graph.nodes if n.op == "placeholder"
    ]
    data = inductor.compile_at_size(graph_module, inputs, kernel.digest)
    suffix = "_".join(f"{name}{size}" for name, size in variant)
    return _finish(
        data,
        lambda: inputs,
        kernel.index,
        f"{kernel.digest}:{suffix}",
        kernel.submodules,
        None,
        started,
        frozenset(),
    )


def at_size(value: Any, by_symbol: Mapping[Any, int] | None = None) -> Any:
    """A fake value at fixed sizes, the example's by default: an int, or a tensor of zeros."""

    def number(n: Any) -> int:
        if not symbolic.is_symbolic_int(n):
            return int(n)
        if by_symbol is None:
            return symbolic.symbolic_hint(n)
        return int(symbolic.symbolic_expression(n).subs(by_symbol))

    if isinstance(value, torch.Tensor):
        return torch.empty_strided(
            [number(n) for n in value.shape],
            [number(n) for n in value.stride()],
            dtype=value.dtype,
            device=value.device,
        ).zero_()
    return number(value) if symbolic.is_symbolic_int(value) else value


def _with_sizes(kernel: Kernel, sizes: Mapping[tuple[tuple[str, int], ...], Kernel]) -> Kernel:
    from dataclasses import replace

    return replace(kernel, sizes=sizes)
