from __future__ import annotations

from tests.benchmarks.answers import extremes, first_error, median, median_steps

ANSWERS = [
    {"load": 1.0, "first_call": 10.0, "steps": {"read": 1.0, "kernels": 5.0}},
    {"load": 3.0, "first_call": 0.0, "steps": {"read": 3.0, "kernels": 7.0}},
    {"load": 2.0, "first_call": 5.0, "steps": {"read": 2.0}},
    {"error": "killed", "load": 100.0},
]


def test_the_median_of_a_sum_is_no_sum_of_medians() -> None:
    assert median(ANSWERS, "load") == 2.0
    assert median(ANSWERS, "load", "first_call") == 7.0
    assert extremes(ANSWERS, "load", "first_call") == (3.0, 11.0)


def test_what_failed_counts_for_nothing_but_its_error() -> None:
    assert median(ANSWERS[3:], "load") is None
    assert extremes([], "load") is None
    assert first_error(ANSWERS) == "killed"
    assert first_error(ANSWERS[:3]) == ""


def test_steps_keep_their_order_and_a_missing_one_is_zero() -> None:
    assert list(median_steps(ANSWERS).items()) == [("read", 2.0), ("kernels", 5.0)]
    assert median_steps([{"error": "x"}]) == {}
