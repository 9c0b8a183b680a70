"""model + call -> Preview: captured and split, as often as asked, and nothing lowered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from ..cache.store import Store
from ..engine.calls.asked import check_asked
from ..engine.calls.asked_kinds import asked_kinds
from ..engine.calls.capture import capture
from ..engine.graph.boundaries import SplitFunction
from ..engine.graph.split import SplitGraph, split
from ..engine.heap import settled_heap
from ..engine.kernels.grouped import group_twins, near_twin
from ..engine.pipeline import ONE_AT_A_TIME
from ..errors import CallError, CaptureError
from ..previews import Piece, PlannedKernel, Preview, Range, SplitPreview
from ..runtime.modes import set_aside
from ..torch_compat import module_calls
from .crossings import bytes_across
from .prices import Prices, read_prices

Way = Sequence[str] | str | SplitFunction | None


def preview(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic: Mapping[str, Any] | str | None = None,
    split_at: Way | Sequence[Way] = None,
    store: Store | None = None,
) -> Preview:
    """What `compile` would make of a call: captured and split, nothing lowered.

    Parameters
    ----------
    model, args, kwargs, dynamic:
        As `compile` takes them. The model is captured once, and left as it was.
    split_at:
        As `compile` takes it, or a list of several such: ``[None, "aten::linear", by_function]``.
        A list of nothing but names is one way, to split at all of them; write
        ``[["aten::linear"], ["aten::mm"]]`` for two.
    store:
        The cache whose entries say what kernels take to compile on this machine; this user's by
        default.

    Returns
    -------
    A `Preview`, which shows itself: pieces, the exact number of distinct kernels, twins and
    near-twins, boundaries with their reasons and the bytes that cross them, and a range of the cold
    time. What Inductor would refuse is not known before it is asked, and would be set apart.

    Raises
    ------
    CallError, CaptureError, SplitError
        As `compile` does.
    """
    ways = _ways(split_at)
    for way in ways:
        check_asked(way, None)
    if store is not None and not isinstance(store, Store):
        raise CallError(f"store is {store!r:.60}, which is no Store.", "Pass Store(directory).")
    (asked,) = asked_kinds(args, kwargs, dynamic, None)
    with ONE_AT_A_TIME, settled_heap(), module_calls.watches_aside():
        started = perf_counter()
        captured = capture(model, asked.args, asked.kwargs, dynamic=asked.dynamic)
        took = perf_counter() - started
        prices = read_prices((store or Store()).directory)
        with set_aside("preview", CaptureError):
            splits = []
            for way in ways:
                started = perf_counter()
                split_graph = split(captured, way)
                spent = took + perf_counter() - started
                splits.append(_planned(_label(way), split_graph, prices, spent))
    return Preview(
        model=captured.model_name,
        n_nodes=len(captured.graph_module.graph.nodes),
        symbols=captured.symbols,
        capture_seconds=took,
        splits=tuple(splits),
        priced_from=len(prices.kernels),
    )


def _ways(split_at: Any) -> list[Any]:
    """The ways to split: one, or each in a list that holds more than names."""
    if isinstance(split_at, (list, tuple)) and not all(isinstance(way, str) for way in split_at):
        return list(split_at)
    return [split_at]


def _label(way: Way) -> str:
    if way is None:
        return "the default"
    if callable(way):
        return f"{getattr(way, '__name__', type(way).__name__)}()"
    return way if isinstance(way, str) else ", ".join(way)


def _planned(label: str, split_graph: SplitGraph, prices: Prices, spent: float) -> SplitPreview:
    grouped = group_twins(split_graph)
    kernels: list[PlannedKernel] = []
    for digest, subs in grouped.groups.items():
        first = subs[0]
        earlier = [(kernel.index, kernel.pieces[0]) for kernel in kernels]
        seconds, is_known = prices.of_kernel(digest, first.n_nodes)
        kernels.append(
            PlannedKernel(
                index=len(kernels),
                digest=digest,
                pieces=tuple(sub.index for sub in subs),
                n_nodes=first.n_nodes,
                near_twin=near_twin(first, grouped.descriptions, earlier),
                seconds=seconds,
                is_known=is_known,
            )
        )
    kernel_of = {piece: kernel.index for kernel in kernels for piece in kernel.pieces}
    crossings = bytes_across(split_graph)
    pieces = tuple(
        Piece(
            name=sub.name,
            reason=str(sub.reason),
            module=sub.module_path,
            n_nodes=sub.n_nodes,
            kernel=kernel_of.get(sub.index),
            crossing=crossings[sub.index],
        )
        for sub in split_graph.submodules
    )
    n_nodes = len(split_graph.captured.graph_module.graph.nodes)
    return SplitPreview(label, pieces, tuple(kernels), _cold(kernels, prices, n_nodes, spent))


def _cold(
    kernels: Sequence[PlannedKernel], prices: Prices, n_nodes: int, spent: float
) -> Range | None:
    """Seconds of the whole compile; None where a kernel has no price."""
    low, high = prices.of_rest(n_nodes)
    for kernel in kernels:
        if kernel.seconds is None:
            return None
        low, high = low + kernel.seconds[0], high + kernel.seconds[1]
    return spent + low, spent + high
