"""What a call takes, compiled and in eager: plain data, no torch, as in `records`."""

from __future__ import annotations

from .frozen import frozen


@frozen
class Spread:
    """Seconds of several calls, or ratios: the median, and the quartiles below and above it."""

    median: float
    low: float
    high: float


@frozen
class EagerRecord:
    """A call beside the same one in eager: ``runs`` of each, timed in turn.

    So a machine that gets slower meanwhile is slower for both. ``ratio`` is of the two of a turn,
    compiled over eager.
    """

    compiled: Spread
    eager: Spread
    ratio: Spread
    runs: int
    measured: str  # when, ISO 8601
    machine: str  # where, as in `Report.machine`


@frozen
class BesideEager:
    """A submodule beside its graph, which eager runs op by op, both on the inputs of the call.

    ``compiled`` and ``eager`` are seconds, ``ratio`` is theirs in each turn. The peaks are the
    bytes that it holds beside its inputs, outputs included; twins have those of the first of them.
    ``predicted_peak`` is None where it cannot be told.
    """

    submodule: int
    compiled: Spread
    eager: Spread
    ratio: Spread
    compiled_peak: int
    predicted_peak: int | None
    eager_peak: int


@frozen
class ProfileRecord:
    """How a call was profiled: medians over ``runs`` after ``warm_up`` more, in seconds and bytes.

    ``overhead`` is what it costs to time one line; it was subtracted. ``call`` is the whole call
    without any timing inside. The peaks are of intermediates, at these sizes; ``eager_peak`` is
    that of the model itself. ``submodules`` has those that run a kernel, in call order.
    """

    runs: int
    warm_up: int
    sizes: tuple[tuple[str, int], ...]
    call: float
    overhead: float
    predicted_peak: int
    measured_peak: int
    eager_peak: int | None = None
    submodules: tuple[BesideEager, ...] = ()
