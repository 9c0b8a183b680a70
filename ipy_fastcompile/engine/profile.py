"""compiled model + call -> its report with the time of every line and submodule, and the peak.

All of it beside eager. See `ipy_fastcompile.runtime.profile` for how lines are timed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..records import Report
from ..runtime.loaded import LoadedFunction
from ..runtime.profile import LineTimes, measure_lines, measure_peak
from ..timings import EagerRecord, ProfileRecord
from ..torch_compat import module_calls
from ..verification.check import cloned
from ..verification.timed import time_beside_eager
from .beside_eager import time_submodules
from .calls.unharmed import Kept, keep, put_back, silent, unspent
from .code.codegen import ExecutionCode
from .code.liveness import line_liveness
from .code.writer import CodeLine
from .kernels.lowered import Lowered
from .program import CompiledProgram

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def profile_call(
    report: Report,
    program: CompiledProgram,
    function: LoadedFunction,
    model: Callable[..., Any],
    call: Arguments,
    *,
    runs: int,
) -> Report:
    """The report with what a profile of one call adds.

    ``call`` has its arguments, and those by name. They are cloned, and ``model`` is put back, so
    that one that writes to either leaves no trace.
    """
    lowered, code = program.lowered, program.code
    leaves = [x.clone() if isinstance(x, torch.Tensor) else x for x in function.flat.leaves(*call)]
    kinds = [p.kind for p in lowered.split.captured.parameters if p.placeholder in _used(lowered)]
    state = [
        (tensor, tensor.clone())
        for tensor, kind in zip(function.parts.parameters, kinds, strict=True)
        if kind == "buffer"
    ]
    sizes = _sizes(lowered, function, leaves)
    marked = [line.line for line in code.lines if _is_timed(line)]
    cuda = any(isinstance(x, torch.Tensor) and x.is_cuda for x in leaves)
    try:
        times = measure_lines(code.text, marked, function.parts, leaves, runs=runs)
        peak = measure_peak(lambda: function.flat(leaves), cuda=cuda)
        submodules = time_submodules(
            lowered, code.text, function, leaves, sizes, runs=runs, cuda=cuda
        )
    finally:
        for tensor, value in state:
            with torch.no_grad():
                tensor.copy_(value)
    kept = keep(model, is_writing=bool(state))
    with silent(), module_calls.watches_aside():
        eager = time_beside_eager(function, model, *call, kept, runs=runs)
        eager_peak = _eager_peak(model, call, kept, cuda=cuda)
    predicted = line_liveness(lowered, code, sizes, str).peak
    record = ProfileRecord(
        runs=times.runs,
        warm_up=times.warm_up,
        sizes=tuple(sizes.items()),
        call=times.call,
        overhead=times.overhead,
        predicted_peak=predicted,
        measured_peak=peak,
        eager_peak=eager_peak,
        submodules=submodules,
    )
    return _with_times(report, code, times, record, eager)


def _eager_peak(model: Callable[..., Any], call: Arguments, kept: Kept, *, cuda: bool) -> int:
    """The most bytes that the model itself holds at a time for the call."""

    def run(args: Any, kwargs: Any) -> None:
        try:
            with unspent(kept):
                model(*args, **kwargs)
        finally:
            put_back(kept)

    args, kwargs = call
    with torch.no_grad():
        return measure_peak(run, lambda: (cloned(args), cloned(kwargs)), cuda=cuda)


def _used(lowered: Lowered) -> set[str]:
    nodes = lowered.split.graph_module.graph.nodes
    return {n.name for n in nodes if n.op == "placeholder" and n.users}


def _sizes(lowered: Lowered, function: LoadedFunction, leaves: Sequence[Any]) -> dict[str, int]:
    """The symbolic sizes of a call, as its checks find them."""
    symbols = lowered.split.captured.symbols
    arguments = function.flat.check(leaves)
    found = arguments[len(arguments) - len(symbols) :]
    return {symbol.name: int(size) for symbol, size in zip(symbols, found, strict=True)}


def _is_timed(line: CodeLine) -> bool:
    """Single statements of functions; not a loop's head, nor what only returns."""
    return line.kind in ("call", "del", "check", "inline", "size")


def _with_times(
    report: Report, code: ExecutionCode, times: LineTimes, record: ProfileRecord, eager: EagerRecord
) -> Report:
    lines = tuple(
        dataclasses.replace(line, seconds=times.lines.get(line.line)) for line in report.lines
    )
    calls = {line.submodule: line.line for line in code.lines if line.kind == "call"}
    submodules = tuple(
        dataclasses.replace(sub, seconds=times.lines.get(calls.get(sub.index, 0)))
        for sub in report.submodules
    )
    return dataclasses.replace(
        report,
        lines=lines,
        submodules=submodules,
        measured_peak=record.measured_peak,
        profile=record,
        eager=eager,
    )
