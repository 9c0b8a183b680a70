"""Report -> whether compiling pays: the call, and each submodule, beside eager.

Neither is called the faster one unless it was in three of four turns, in which both ran.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import Report
from ..timings import BesideEager, EagerRecord, Spread
from .palette import kernel_badge
from .tables import Cell, Table, cap_rows
from .units import format_count, format_ratio, format_seconds

PAYS_TITLE = "Does it pay? Kernels beside eager, what saves least first"
# A submodule holds more memory than eager when it is more than measuring explains.
_HUNGRIER = 1.05
# Losses that are told one by one.
_TOLD = 5


def is_slower(ratio: Spread) -> bool:
    """Whether the compiled call takes longer than eager's, in three of four turns."""
    return ratio.low > 1.0


def beside_eager(ratio: Spread) -> str:
    """How a call compares: so many times slower or faster than eager, or as fast."""
    if is_slower(ratio):
        return f"{format_ratio(ratio.median, 1.0)} slower than eager"
    if ratio.high < 1.0:
        return f"{format_ratio(1.0, ratio.median)} faster than eager"
    return "as fast as eager"


def lost(report: Report) -> bool:
    """Whether the call, of any program, is slower than eager."""
    return any(is_slower(eager.ratio) for _, eager in _timed(report))


def call_fact(report: Report) -> str:
    """The call beside eager in a few words; of several programs the one that gains least."""
    timed = _timed(report)
    if not timed:
        return "not timed beside eager"
    name, eager = max(timed, key=lambda one: one[1].ratio.median)
    of = f" in {inert(name)}" if len(timed) > 1 else ""
    words = beside_eager(eager.ratio)
    return f"{format_seconds(eager.compiled.median)}, {words}{of}"


def _timed(report: Report) -> list[tuple[str, EagerRecord]]:
    programs = report.programs or (report,)
    return [(program.name, program.eager) for program in programs if program.eager is not None]


def eager_fact(report: Report) -> str:
    """What the call of one program takes in each, when that was, and when the compile has paid."""
    eager = report.eager
    assert eager is not None
    of = "a call" if eager.runs == 1 else f"{eager.runs} calls"
    when = inert(eager.measured[:16].replace("T", " "))
    where = "" if eager.machine == report.machine else f" on {inert(eager.machine)}"
    return (
        f"a call takes {format_spread(eager.compiled)}, in eager {format_spread(eager.eager)}; "
        f"{of} of each in turn, {when}{where}; {_paid(report.cold_seconds, eager)}"
    )


def format_spread(spread: Spread) -> str:
    """``14.2 ms (13.9 ms to 14.9 ms)``: the median, and the middle half."""
    if spread.low == spread.high:
        return format_seconds(spread.median)
    low, high = format_seconds(spread.low), format_seconds(spread.high)
    return f"{format_seconds(spread.median)} ({low} to {high})"


def _paid(cost: float, eager: EagerRecord) -> str:
    if eager.ratio.high >= 1.0:
        return "the compile never pays for itself"
    calls = break_even(cost, eager.eager.median - eager.compiled.median)
    return f"the compile, {format_seconds(cost)}, has paid after {calls}"


def break_even(cost: float, saved: float) -> str:
    """``812 calls``: after how many the ``cost`` is saved, both in seconds."""
    return "no number of calls" if saved <= 0 else format_count(math.ceil(cost / saved), "call")


# --- submodules, once profiled -------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """The submodules of one kernel."""

    kernel: int
    cost: float
    members: tuple[BesideEager, ...]

    @property
    def saved(self) -> float:
        """Seconds of a call of the model."""
        return sum(one.eager.median - one.compiled.median for one in self.members)


def losses(report: Report) -> tuple[str, ...]:
    """The submodules that are slower or hungrier than eager, a line each, the worst first."""
    if report.profile is None:
        return ()
    timed = report.profile.submodules
    slow = [one for one in timed if is_slower(one.ratio)]
    slow.sort(key=lambda one: one.eager.median - one.compiled.median)
    hungry = [one for one in timed if _is_hungrier(one)]
    hungry.sort(key=lambda one: one.eager_peak - one.compiled_peak)
    lines = [
        f"{_named(report, one)} is {beside_eager(one.ratio)}: "
        f"{format_seconds(one.compiled.median)} instead of {format_seconds(one.eager.median)}"
        for one in slow
    ]
    told = _first(lines, "slower")
    lines = [
        f"{_named(report, one)} holds {format_bytes(one.compiled_peak)}, "
        f"{format_bytes(one.eager_peak)} in eager"
        for one in hungry
    ]
    return (*told, *_first(lines, "hungrier"))


def _first(lines: Sequence[str], word: str) -> list[str]:
    rest = len(lines) - _TOLD
    more = [f"and {format_count(rest, 'more submodule')} {word} than eager"] if rest > 0 else []
    return [*lines[:_TOLD], *more]


def _is_hungrier(one: BesideEager) -> bool:
    return one.compiled_peak > one.eager_peak * _HUNGRIER


def _named(report: Report, one: BesideEager) -> str:
    submodule = report.submodules[one.submodule]
    module = f" ({inert(submodule.module)})" if submodule.module else ""
    return f"{inert(submodule.name)}{module}"


def pays_table(report: Report) -> Table:
    """Each kernel beside eager, what all its submodules save together; losses first."""
    assert report.profile is not None
    of_kernel: dict[int, list[BesideEager]] = {}
    for one in report.profile.submodules:
        kernel = report.submodules[one.submodule].kernel
        assert kernel is not None
        of_kernel.setdefault(kernel, []).append(one)
    cost = {kernel.index: kernel.seconds for kernel in report.kernels}
    groups = [_Group(kernel, cost[kernel], tuple(own)) for kernel, own in of_kernel.items()]
    groups.sort(key=lambda group: group.saved)
    heads = (
        "kernel", "submodules", "each takes", "in eager", "saved per call", "compiled in",
        "pays after", "peak", "predicted", "in eager", "",
    )  # fmt: skip
    rows = tuple(map(_row, groups))
    return cap_rows(Table(heads, rows, frozenset(range(1, len(heads) - 1))), 24)


def _row(group: _Group) -> tuple[Cell, ...]:
    first = group.members[0]
    saved = group.saved
    words = beside_eager(first.ratio)
    words += ", hungrier" if _is_hungrier(first) else ""
    predicted = first.predicted_peak
    return (
        Cell("", badge=kernel_badge(group.kernel)),
        Cell(format_count(len(group.members))),
        Cell(format_spread(first.compiled)),
        Cell(format_spread(first.eager)),
        Cell(f"{'-' if saved < 0 else ''}{format_seconds(abs(saved))}"),
        Cell(format_seconds(group.cost)),
        Cell(break_even(group.cost, saved).replace("no number of calls", "never")),
        Cell(format_bytes(first.compiled_peak)),
        Cell("" if predicted is None else format_bytes(predicted)),
        Cell(format_bytes(first.eager_peak)),
        Cell(words),
    )
