"""submodule -> its kernel: compiled by Inductor for all sizes or for fixed ones, made native."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.fx import GraphModule

from ...explained import Explained
from ...records import NearTwin
from ...torch_compat import ahead, compiled, inductor, symbolic
from ..graph.exact import exact_outputs
from ..graph.layout import settle_outputs
from ..graph.split import SplitGraph
from ..graph.twins import describe
from .explain import Recorder, tunings_of
from .lowered import Kernel, Variant
from .native import rewrite_kernel


@dataclass(frozen=True)
class Begun:
    """A submodule that Inductor has written code for; its C++ kernels may still be being built.

    ``exact`` and ``explained`` are those of its kernel, ``seconds`` what it took up to here.
    """

    data: bytes
    digest: str
    inputs: Sequence[Any]
    weights: frozenset[int]
    exact: frozenset[int]
    explained: Explained
    seconds: float
    builds: ahead.Builds


def begin_kernel(
    graph_module: GraphModule,
    digest: str,
    weights: frozenset[int] = frozenset(),
    *,
    explain: bool = False,
) -> Begun:
    """Compile one submodule, up to the builds of its C++ kernels, which go on meanwhile.

    ``weights`` are the positions of inputs that `weight_positions` found. With ``explain`` nothing
    is taken out of Inductor's cache, of which nothing can be recorded.
    """
    started = time.perf_counter()
    inputs = [n.meta["val"] for n in graph_module.graph.nodes if n.op == "placeholder"]
    recorder, builds = Recorder(), ahead.Builds()

    def compiled_as(digest: str) -> bytes:
        with recorder.watching(), builds.under_way():
            return inductor.compile_submodule(graph_module, inputs, digest, anew=explain)

    data = compiled_as(digest)
    strides = compiled.output_strides(data)
    if settle_outputs(graph_module, strides):
        data = compiled_as(describe(graph_module).digest)
        strides = compiled.output_strides(data)
    return Begun(
        data,
        digest,
        inputs,
        weights,
        exact_outputs(graph_module, strides),
        recorder.explained(anew=explain),
        time.perf_counter() - started,
        builds,
    )


def finish_kernel(
    begun: Begun, index: int, submodules: tuple[int, ...] = (), near_twin: NearTwin | None = None
) -> Kernel:
    """The kernel, once what it calls is built."""
    started = time.perf_counter() - begun.seconds
    begun.builds.wait()
    kernel = _finish(
        begun.data,
        lambda: list(map(at_size, begun.inputs)),
        index,
        begun.digest,
        submodules,
        near_twin,
        started,
        begun.weights,
        begun.exact,
    )
    tunings = tunings_of(kernel.parts.launches, kernel.parts.tried)
    return replace(kernel, explained=replace(begun.explained, tunings=tunings))


def compile_variant(
    graph_module: GraphModule,
    kernel: Kernel,
    variant: Variant,
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
        frozenset(),
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
    exact: frozenset[int],
) -> Kernel:
    parts = compiled.open_compiled(data, inputs)
    native, why = rewrite_kernel(parts, f"kernel_{index}", weights)
    seconds = time.perf_counter() - started
    return Kernel(
        index, digest, submodules, data, parts, native, why, seconds, near_twin, exact, {}
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
