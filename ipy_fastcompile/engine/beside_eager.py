"""lowered + a call -> every submodule that runs a kernel, timed beside its graph in eager.

The execution code runs once, with a kernel in every place that first times itself and the graph
that it was compiled from, in turn, on the inputs that it has just been given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import torch

from ..runtime import bind
from ..runtime.loaded import LoadedFunction
from ..runtime.profile import measure_peak
from ..timings import BesideEager
from ..verification.timed import settle, spreads_of
from .code.memory import call_memory
from .graph.split import Submodule
from .graph.writes import written_placeholders
from .kernels.lowered import Lowered

_WARM_UP = 2


def time_submodules(
    lowered: Lowered,
    text: str,
    function: LoadedFunction,
    leaves: Sequence[Any],
    sizes: Mapping[str, int],
    *,
    runs: int,
    cuda: bool,
) -> tuple[BesideEager, ...]:
    """Every submodule that runs a kernel, in call order.

    Parameters
    ----------
    text:
        The execution code.
    leaves:
        The call's arguments, flat, and ``sizes`` what its symbolic sizes are.
    runs:
        Calls of each that count.
    """
    examples = {symbol: sizes[name] for symbol, name in lowered.split.captured.names.items()}
    predicted, _ = call_memory(lowered, examples)
    pieces = [sub for sub in lowered.split.submodules if lowered.kernel_of[sub.index] is not None]
    waiting = iter(pieces)
    found: list[BesideEager] = []
    peaks: dict[int | None, tuple[int, int]] = {}

    def watched(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            sub = next(waiting)
            number = lowered.kernel_of[sub.index]
            eager, again = sub.graph_module, _again(sub, args)
            compiled, of_eager, ratio = spreads_of(*_time_in_turn((kernel, eager), again, runs))
            if number not in peaks:
                peaks[number] = (
                    measure_peak(kernel, again, cuda=cuda),
                    measure_peak(eager, again, cuda=cuda),
                )
            memory = predicted.get(sub.index)
            found.append(
                BesideEager(
                    submodule=sub.index,
                    compiled=compiled,
                    eager=of_eager,
                    ratio=ratio,
                    compiled_peak=peaks[number][0],
                    predicted_peak=None if memory is None else memory.peak,
                    eager_peak=peaks[number][1],
                )
            )
            return kernel(*args)

        return call

    parts = function.parts
    kernels = [watched(kernel) for kernel in parts.kernels]
    execution = bind.compile_execution_fn(text, kernels, parts.parameters, parts.constants)
    with torch.no_grad():
        execution.forward(*execution.check_inputs(*leaves))
    return tuple(found)


def _again(sub: Submodule, args: Sequence[Any]) -> Callable[[], list[Any]]:
    """The arguments as often as they are needed, those that the submodule writes to as copies."""
    written = written_placeholders(sub.graph_module)
    names = [n.name for n in sub.graph_module.graph.nodes if n.op == "placeholder"]
    copied = {position for position, name in enumerate(names) if name in written}
    return lambda: [x.clone() if at in copied else x for at, x in enumerate(args)]


def _time_in_turn(
    both: Sequence[Callable[..., Any]], again: Callable[[], list[Any]], runs: int
) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(_WARM_UP + runs):
        for which in (0, 1) if run % 2 else (1, 0):
            args = again()
            settle()
            started = perf_counter()
            both[which](*args)
            settle()
            if run >= _WARM_UP:
                times[which].append(perf_counter() - started)
    return times
