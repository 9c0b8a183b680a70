from __future__ import annotations

import pytest

from ipy_fastcompile.runtime.settled import MOST, runs_left


def test_as_many_runs_as_somebody_asks_for() -> None:
    assert [runs_left([9.0] * done, 2) for done in range(4)] == [2, 1, 0, 0]


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        ([], 3),
        ([2.5], 0),  # slow: a second one would say the same
        ([0.010], 2),
        ([0.010, 0.0102, 0.0101], 0),
        ([0.010, 0.013, 0.0101], 1),
        ([0.010, 0.013, 0.0101, 0.0102], 0),  # the one that was disturbed does not count
        ([0.010, 0.020, 0.015, 0.012, 0.018, 0.011], 1),
        ([0.010, 0.020, 0.015, 0.012, 0.018, 0.011, 0.019], 0),
    ],
)
def test_as_many_runs_as_the_noise_asks_for(seconds: list[float], left: int) -> None:
    assert runs_left(seconds) == left
    assert len(seconds) + left <= MOST
