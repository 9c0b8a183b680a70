"""steps of a load -> seconds of each, with what reading and verifying took counted apart."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .parts import Parts


class Clock:
    """Seconds by step; hashing done while members are read counts as ``verify``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._steps: dict[str, float] = {}
        self._verify = parts.timings.get("verify", 0.0)
        self._last = perf_counter()

    def mark(self, step: str) -> None:
        """What was done since the last mark belongs to this step."""
        now = perf_counter()
        verify = self._parts.timings.get("verify", 0.0)
        spent = now - self._last - (verify - self._verify)
        self._steps[step] = self._steps.get(step, 0.0) + spent
        self._verify, self._last = verify, now

    def finish(self) -> dict[str, float]:
        """Seconds of each step, in order."""
        read = self._parts.timings.get("read", 0.0) + self._steps.pop("read", 0.0)
        return {"read": read, "verify": self._verify, **self._steps}
