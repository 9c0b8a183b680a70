"""compiled model + call -> its report with the time of every line and submodule, and the peak.

See `ipy_fastcompile.runtime.profile` for how lines are timed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from ..records import ProfileRecord, Report
from ..runtime.loaded import LoadedFunction
from ..runtime.profile import LineTimes, measure_lines, measure_peak
from .code.codegen import ExecutionCode
from .code.liveness import line_liveness
from .code.writer import CodeLine
from .kernels.lowered import Lowered


def profile_call(
    report: Report,
    lowered: Lowered,
    code: ExecutionCode,
    function: LoadedFunction,
    leaves: Sequence[Any],
    *,
    runs: int,
) -> Report:
    """The report with what a profile of one call adds.

    ``leaves`` are the call's arguments, flat. They are cloned, and buffers of the model are put
    back, so that a model that writes to either leaves no trace.
    """
    leaves = [x.clone() if isinstance(x, torch.Tensor) else x for x in leaves]
    kinds = [p.kind for p in lowered.split.captured.parameters if p.placeholder in _used(lowered)]
    state = [
        (tensor, tensor.clone())
        for tensor, kind in zip(function.parts.parameters, kinds, strict=True)
        if kind == "buffer"
    ]
    sizes = _sizes(lowered, function, leaves)
    marked = [line.line for line in code.lines if _is_timed(line)]
    try:
        times = measure_lines(code.text, marked, function.parts, leaves, runs=runs)
        cuda = any(isinstance(x, torch.Tensor) and x.is_cuda for x in leaves)
        peak = measure_peak(lambda: function.flat(leaves), cuda=cuda)
    finally:
        for tensor, value in state:
            with torch.no_grad():
                tensor.copy_(value)
    predicted = line_liveness(lowered, code, sizes, str).peak
    return _with_times(report, code, times, sizes, predicted, peak)


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
    report: Report,
    code: ExecutionCode,
    times: LineTimes,
    sizes: dict[str, int],
    predicted: int,
    peak: int,
) -> Report:
    lines = tuple(
        dataclasses.replace(line, seconds=times.lines.get(line.line)) for line in report.lines
    )
    calls = {line.submodule: line.line for line in code.lines if line.kind == "call"}
    submodules = tuple(
        dataclasses.replace(sub, seconds=times.lines.get(calls.get(sub.index, 0)))
        for sub in report.submodules
    )
    record = ProfileRecord(
        runs=times.runs,
        warm_up=times.warm_up,
        sizes=tuple(sizes.items()),
        call=times.call,
        overhead=times.overhead,
        predicted_peak=predicted,
        measured_peak=peak,
    )
    return dataclasses.replace(
        report, lines=lines, submodules=submodules, measured_peak=peak, profile=record
    )
