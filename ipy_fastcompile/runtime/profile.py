"""execution code + inputs -> seconds of every line, and the most memory alive at a time.

A variant of the text with ``mark(line)`` after every line runs beside the code that normally runs,
on the same kernels and parameters; nothing of the loaded function is changed. A mark takes time
itself: how much is measured in the same process, and subtracted.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import torch

from ..frozen import frozen
from . import bind
from .checks import CHECKS

_WARM_UP = 3
_OVERHEAD_SAMPLES = 2000


@frozen
class LineTimes:
    """Medians over ``runs`` calls, after ``warm_up`` more; seconds.

    ``lines`` maps a line of the execution code (from 1) to the time it takes, ``overhead`` is what
    one mark takes and was subtracted, ``call`` is the whole call without any marks.
    """

    lines: Mapping[int, float]
    overhead: float
    call: float
    runs: int
    warm_up: int = _WARM_UP


def measure_lines(
    text: str,
    marked: Sequence[int],
    parts: bind.ExecutionParts,
    leaves: Sequence[Any],
    *,
    runs: int,
) -> LineTimes:
    """Time the lines of execution code.

    Parameters
    ----------
    text:
        The execution code.
    marked:
        The lines to time, from 1: the first ones of single statements inside functions.
    parts:
        What it is bound to.
    leaves:
        The arguments of ``check_inputs``.
    runs:
        Calls that count.
    """
    clock = _Clock(_is_cuda(leaves))
    code = bind.compile_text(add_marks(text, marked), "profiled code")
    namespace = bind.run_code(code, {"__name__": "profiled_code", "mark": clock.mark})
    check_inputs = namespace["check_inputs"]
    forward = namespace["bind"](*parts)
    ledger = _Ledger(text, clock.overhead())
    with torch.no_grad():
        for run in range(_WARM_UP + runs):
            clock.stamps.clear()
            forward(*check_inputs(CHECKS, *leaves))
            if run >= _WARM_UP:
                ledger.enter(clock.stamps)
        plain = bind.compile_execution_fn(text, *parts)
        call = _time_call(lambda: plain.forward(*plain.check_inputs(*leaves)), clock, runs)
    return LineTimes(ledger.medians(), ledger.overhead / 1e9, call, runs)


def add_marks(text: str, marked: Sequence[int]) -> str:
    """The text with ``mark(line)`` after the statement at each line, and first in each function."""
    wanted = set(marked)
    before: dict[int, str] = {}  # line -> the mark that goes above it
    after: dict[int, str] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name != "bind":
            has_docstring = ast.get_docstring(node, clean=False) is not None
            first = node.body[1 if has_docstring else 0]
            before[first.lineno] = f"{' ' * first.col_offset}mark({node.lineno})"
        elif isinstance(node, ast.stmt) and node.lineno in wanted:
            after[node.end_lineno or node.lineno] = f"{' ' * node.col_offset}mark({node.lineno})"
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        found += [mark for mark in (before.get(number),) if mark]
        found.append(line)
        found += [mark for mark in (after.get(number),) if mark]
    return "\n".join(found) + "\n"


def _is_cuda(leaves: Sequence[Any]) -> bool:
    return any(isinstance(x, torch.Tensor) and x.device.type == "cuda" for x in leaves)


class _Clock:
    """Notes (line, nanoseconds); on a GPU it waits until the work before is done."""

    def __init__(self, cuda: bool) -> None:
        self.stamps: list[tuple[int, int]] = []
        append = self.stamps.append

        def mark(line: int) -> None:
            append((line, perf_counter_ns()))

        def mark_done(line: int) -> None:
            torch.cuda.synchronize()
            append((line, perf_counter_ns()))

        self.mark: Callable[[int], None] = mark_done if cuda else mark

    def overhead(self) -> float:
        """Nanoseconds from one mark to the next when nothing is between them, the median."""
        self.stamps.clear()
        for number in range(_OVERHEAD_SAMPLES):
            self.mark(number)
        times = [time for _, time in self.stamps]
        self.stamps.clear()
        return statistics.median(b - a for a, b in itertools.pairwise(times))


class _Ledger:
    """Turns the stamps of a call into the times of its lines.

    A line of ``forward`` that calls an inlined function lasts from the mark before it to its own;
    the marks inside are subtracted from it, too.
    """

    def __init__(self, text: str, overhead: float) -> None:
        self.overhead = overhead
        lines = text.splitlines()
        starts = {n for n, line in enumerate(lines, 1) if line.lstrip().startswith("def ")}
        self._starts = starts
        self._forward = max((n for n in starts if "def forward(" in lines[n - 1]), default=0)
        self._seen: dict[int, list[float]] = {}

    def enter(self, stamps: Sequence[tuple[int, int]]) -> None:
        last = last_outer = 0
        inside = 0
        for line, time in stamps:
            outer = line >= self._forward
            if line not in self._starts:
                before, marks = (last_outer, inside + 1) if outer else (last, 1)
                spent = max(0.0, time - before - marks * self.overhead)
                self._seen.setdefault(line, []).append(spent / 1e9)
            inside = 0 if outer else inside + 1
            last = time
            if outer:
                last_outer = time

    def medians(self) -> dict[int, float]:
        return {line: statistics.median(times) for line, times in self._seen.items()}


def _time_call(call: Callable[[], Any], clock: _Clock, runs: int) -> float:
    """Seconds of a call without marks, the median."""
    clock.stamps.clear()
    for _ in range(_WARM_UP + runs):
        clock.mark(0)
        call()
        clock.mark(0)
    times = [time for _, time in clock.stamps]
    spent = [b - a for a, b in zip(times[::2], times[1::2], strict=True)]
    return statistics.median(spent[_WARM_UP:]) / 1e9


# --- memory --------------------------------------------------------------------------------------


def measure_peak(
    call: Callable[..., Any],
    arguments: Callable[[], Sequence[Any]] = tuple,
    *,
    cuda: bool = False,
) -> int:
    """The most bytes that PyTorch's allocator holds at a time for a call, its outputs included.

    ``arguments`` makes those of every call anew; they are no part of it. On a CPU it is the running
    sum of the allocations in a trace of `torch.profiler`.
    """
    for _ in range(_WARM_UP):
        call(*arguments())
    given = arguments()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call(*given)
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated() - before)
    held = peak = 0
    for size in _allocations(lambda: call(*given)):
        held += size
        peak = max(peak, held)
    return peak


def _allocations(call: Callable[[], Any]) -> Iterator[int]:
    """Bytes of every allocation (positive) and release (negative) during a call, in order."""
    from torch.profiler import ProfilerActivity, profile

    with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as directory, _quiet_profiler():
        trace = Path(directory) / "trace.json"
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            result = call()
        profiler.export_chrome_trace(str(trace))
        del result
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    found = [event for event in events if event.get("name") == "[memory]"]
    for event in sorted(found, key=lambda event: float(event["ts"])):
        yield int(event["args"]["Bytes"])


@contextlib.contextmanager
def _quiet_profiler() -> Iterator[None]:
    """Kineto, the profiler's library, prints when it starts and stops unless it is told not to."""
    name = "KINETO_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ[name] = "99"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
