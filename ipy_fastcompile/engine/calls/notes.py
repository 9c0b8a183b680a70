"""calls, one after the other -> their kinds: grouped by what they are, with the sizes seen."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...torch_compat import surroundings
from .example import Call, Held
from .observed import Observed, observe
from .varying import Row


@dataclass
class Group:
    """Calls of one key: how many there were of each combination of sizes, and an example."""

    first: Observed
    counts: dict[Row, int] = field(default_factory=dict)
    example: Call = ((), {})
    sizes: Row = ()

    def wants(self, seen: Observed) -> bool:
        """Whether this call makes a better example: torch takes sizes of 0 and 1 for fixed."""
        return not self.counts or thinness(seen, seen.sizes) < thinness(seen, self.sizes)


def thinness(seen: Observed, sizes: Row) -> int:
    """How many dimensions have a size of 0 or 1."""
    pairs = zip(seen.places, sizes, strict=True)
    return sum(size < 2 for place, size in pairs if place.dim is not None)


class Notes:
    """Takes note of calls. Threads may call at once; a call within a call is part of it."""

    def __init__(self, signature: inspect.Signature, defaults: Mapping[str, str]) -> None:
        self.signature = signature
        self._defaults = defaults
        self._groups: dict[Hashable, Group] = {}
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._is_open = True

    def call(self, own: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make the call ``own(*args, **kwargs)``, and note it if it returns."""
        is_within = getattr(self._thread, "is_within", False)
        if is_within or not self._is_open or surroundings.tracer_in_charge():
            return own(*args, **kwargs)
        self._thread.is_within = True
        try:
            seen = observe(self.signature, self._defaults, args, kwargs)
            held = Held(args, kwargs) if seen is not None and self._wants(seen) else None
            result = own(*args, **kwargs)
        finally:
            self._thread.is_within = False
        if seen is not None:
            self._add(seen, held)
        return result

    def close(self) -> None:
        """Note no more, and let go of what was noted."""
        with self._lock:
            self._is_open = False
            self._groups = {}

    def groups(self) -> list[Group]:
        """What was noted up to now, in order."""
        with self._lock:
            return [replace(group, counts=dict(group.counts)) for group in self._groups.values()]

    def _wants(self, seen: Observed) -> bool:
        with self._lock:
            group = self._groups.get(seen.key)
            return group is None or group.wants(seen)

    def _add(self, seen: Observed, held: Held | None) -> None:
        example = held.example() if held is not None else None
        with self._lock:
            if not self._is_open:
                return
            group = self._groups.setdefault(seen.key, Group(seen))
            if example is not None and group.wants(seen):
                group.example, group.sizes = example, seen.sizes
            group.counts[seen.sizes] = group.counts.get(seen.sizes, 0) + 1
