"""What all pickles of one file may spend together -> what they named, and what was not read."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from . import limits


@dataclass
class Use:
    """How a global is used: pushed ``count`` times, called ``calls`` times, first in ``where``."""

    count: int = 0
    calls: int = 0
    where: str = ""
    is_computed: bool = False


@dataclass
class Budget:
    """What all pickles of one file may spend together, and what they named."""

    opcodes: int = limits.MAX_OPCODES
    values: int = limits.MAX_VALUES
    # By the thread's own time, so that a busy machine reads no less; and by the clock, for disks.
    ends: float = field(default_factory=lambda: time.thread_time() + limits.SECONDS)
    until: float = field(default_factory=lambda: time.monotonic() + limits.WAITING)
    uses: dict[str, Use] = field(default_factory=dict)
    notes: dict[tuple[str, str], None] = field(default_factory=dict)  # (where, what was not read)
    inside: dict[int, tuple[Any, Unpickled]] = field(default_factory=dict)

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        left = self.until - time.monotonic()
        # The thread has not worked for longer than the clock ran, which is cheaper to ask.
        is_possible = left < limits.WAITING - limits.SECONDS
        return left < 0 or (is_possible and time.thread_time() > self.ends)

    def within(self) -> Budget:
        """A budget for what may turn out to be no pickle; `take` gives back what it found."""
        return Budget(self.opcodes, self.values, self.ends, self.until, inside=self.inside)

    def is_over(self, where: str) -> bool:
        """Whether the time is over; then it is said."""
        if not self.is_late:
            return False
        self.note(where, f"reading took more than {limits.SECONDS:.0f} s")
        return True

    def nested(self, value: Any) -> Unpickled | None:
        """What the bytes ``value`` of a pickle hold, where they are a pickle."""
        found = self.inside.get(id(value))
        return found[1] if found is not None and found[0] is value else None

    def note(self, where: str, what: str) -> None:
        """Remember what was not read; the same once."""
        if len(self.notes) < 500:
            self.notes[where, what] = None

    def take(self, inner: Budget) -> None:
        """What a pickle with a budget of its own named belongs to this one, too."""
        for name, use in inner.uses.items():
            if use.count:
                self.use(name, use.where, computed=use.is_computed)
            if use.calls:
                self.use(name, use.where, called=True)
        for note in inner.notes:
            self.note(*note)

    def use(self, name: str, where: str, *, called: bool = False, computed: bool = False) -> None:
        """A global was pushed or called."""
        if name not in self.uses and len(self.uses) >= limits.MAX_GLOBALS:
            self.note(where, f"it names more than {limits.MAX_GLOBALS} globals")
            return
        use = self.uses.setdefault(name, Use(where=where))
        use.count += not called
        use.calls += called
        use.is_computed = use.is_computed or computed


@dataclass(frozen=True)
class Unpickled:
    """One pickle: the value it would give, its ``end`` in the bytes, and why reading stopped.

    ``value`` is what was on top of the stack where ``problem`` is not empty.
    """

    value: Any
    end: int
    problem: str = ""
