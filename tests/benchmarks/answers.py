"""Answers of children -> medians, extremes, errors."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Answers = Sequence[Mapping[str, Any]]

# (seconds, runs): a load that takes longer is run so many times at most. The time of a slow one
# moves little, and more runs of it would cost minutes.
_SLOW = ((40.0, 1), (2.5, 2))


def _sums(answers: Answers, names: Sequence[str]) -> list[float]:
    good = [a for a in answers if "error" not in a and all(n in a for n in names)]
    return [sum(float(a[n]) for n in names) for a in good]


def median(answers: Answers, *names: str) -> float | None:
    """The median of a field, or of a sum of fields, over the answers without an error."""
    values = _sums(answers, names)
    return statistics.median(values) if values else None


def extremes(answers: Answers, *names: str) -> tuple[float, float] | None:
    """The smallest and the largest of the same."""
    values = _sums(answers, names)
    return (min(values), max(values)) if values else None


def enough(answers: Answers, runs: int) -> bool:
    """Whether no more answers are wanted: as many as asked for, a failure, or slow ones."""
    if not answers:
        return False
    last = answers[-1]
    taken = float(last.get("load", 0.0)) + float(last.get("first_call", 0.0))
    most = next((count for limit, count in _SLOW if taken > limit), runs)
    return "error" in last or len(answers) >= min(most, runs)


def first_error(answers: Answers) -> str:
    """What the first child that failed said, or nothing."""
    return next((str(a["error"]) for a in answers if "error" in a), "")


def median_steps(answers: Answers) -> dict[str, float]:
    """The steps of a load, each by its median, in their order."""
    good = [a["steps"] for a in answers if "error" not in a and "steps" in a]
    return {
        step: statistics.median(steps.get(step, 0.0) for steps in good)
        for step in (good[0] if good else ())
    }
