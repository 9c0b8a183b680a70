"""the runs of a path so far -> how many it takes: many where milliseconds drown in noise.

What takes a second differs by some percent from run to run, and a path ahead of it by a factor.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

FEWEST, MOST = 3, 7
_SLOW = 1.0  # seconds
# How far apart the middle half of the runs may lie, as a share of their median.
_CLOSE = 0.1


def runs_left(seconds: Sequence[float], runs: int | None = None) -> int:
    """How many runs a path should still get, as far as can be told; 0 when it is settled.

    ``seconds`` to the first output, one for each run so far; ``runs`` is the number that somebody
    asked for, in the place of what the noise asks for.
    """
    done = len(seconds)
    if runs is not None:
        return max(runs - done, 0)
    if done and statistics.median(seconds) > _SLOW:
        return 0
    if done < FEWEST:
        return FEWEST - done
    return 0 if done >= MOST or _are_close(seconds) else 1


def _are_close(seconds: Sequence[float]) -> bool:
    outer = len(seconds) // 4
    middle = sorted(seconds)[outer : len(seconds) - outer]
    return middle[-1] - middle[0] <= _CLOSE * statistics.median(seconds)
