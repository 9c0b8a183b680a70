"""How the call of the sample, and its submodules, compare with eager: made up, one loses."""

from __future__ import annotations

from ipy_fastcompile.records import SubmoduleRecord
from ipy_fastcompile.timings import BesideEager, EagerRecord, Spread

EAGER = EagerRecord(
    Spread(0.0089, 0.0088, 0.0093),
    Spread(0.0216, 0.021, 0.0221),
    Spread(0.412, 0.401, 0.43),
    15,
    "2026-11-22T18:45:09+00:00",
    "x86_64, AVX2, 2 cores",
)


def beside(submodules: tuple[SubmoduleRecord, ...]) -> tuple[BesideEager, ...]:
    """All gain but the last, which is slower than eager, and the first, which is hungrier."""
    found = []
    for sub in submodules:
        if sub.inlined:
            continue
        seconds = sub.seconds or 0.0
        times = 0.5 if sub is submodules[-1] else 2.5
        eager = seconds * times
        found.append(
            BesideEager(
                sub.index,
                Spread(seconds, seconds * 0.98, seconds * 1.1),
                Spread(eager, eager * 0.98, eager * 1.1),
                Spread(1 / times, 0.95 / times, 1.1 / times),
                compiled_peak=98_304,
                predicted_peak=98_304,
                eager_peak=65_536 if sub.index == 0 else 196_608,
            )
        )
    return tuple(found)
