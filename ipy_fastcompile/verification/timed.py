"""compiled function + model + call -> what the call takes in each, timed in turn.

A few calls of each are enough to say which is slower. Every call gets copies of the arguments, and
finds the model as it was; neither is part of the time.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from time import perf_counter
from typing import Any

import torch

from ..engine.calls.unharmed import Kept, put_back, unspent
from ..runtime.machine import describe_machine
from ..timings import EagerRecord, Spread
from .check import cloned

# A comparison that nobody asked for ends when both have had their share of this, in seconds, ...
_BUDGET = 0.5
# ... after as many calls of each at most, ...
_MOST = 15
# ... and at least, ...
_LEAST = 3
# ... unless the first call of both together takes this long: then one more of each has to do.
_LONG = 2.0


def time_beside_eager(
    function: Callable[..., Any],
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    kept: Kept,
    *,
    runs: int | None = None,
) -> EagerRecord:
    """Time ``function`` and ``model`` on the same call, in turn.

    ``kept`` is what the model was. ``runs`` are the calls of each that count; None for a few, as
    many as half a second allows.
    """
    both = (function, model)
    times: tuple[list[float], list[float]] = ([], [])
    started = perf_counter()
    first = sum(_time_once(call, args, kwargs, kept) for call in both)  # to warm up
    least = runs or (1 if first > _LONG else _LEAST)
    most = runs or _MOST
    while len(times[0]) < most:
        if len(times[0]) >= least and perf_counter() - started > _BUDGET:
            break
        turn = (0, 1) if len(times[0]) % 2 else (1, 0)
        for which in turn:
            times[which].append(_time_once(both[which], args, kwargs, kept))
    compiled, eager, ratio = spreads_of(*times)
    return EagerRecord(
        compiled=compiled,
        eager=eager,
        ratio=ratio,
        runs=len(times[0]),
        measured=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        machine=describe_machine(),
    )


def _time_once(
    call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], kept: Kept
) -> float:
    own, named = cloned(tuple(args)), cloned(dict(kwargs))
    try:
        with torch.no_grad(), unspent(kept):
            settle()
            started = perf_counter()
            call(*own, **named)
            settle()
            return perf_counter() - started
    finally:
        put_back(kept)


def settle() -> None:
    """Wait until a GPU has done what it was given, where one is used."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def spreads_of(compiled: Sequence[float], eager: Sequence[float]) -> tuple[Spread, Spread, Spread]:
    """The spread of either, and of the ratio of the two of a turn."""
    ratios = [one / other for one, other in zip(compiled, eager, strict=True)]
    return spread_of(compiled), spread_of(eager), spread_of(ratios)


def spread_of(numbers: Sequence[float]) -> Spread:
    """The median and the quartiles of one or more numbers."""
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Spread(median, low, high)
