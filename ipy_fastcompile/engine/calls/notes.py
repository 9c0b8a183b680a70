"""calls, one after the other -> their kinds: grouped by what they are, with the sizes seen."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...torch_compat import surroundings
from .batches import batch_places, only_ones, with_batch
from .example import Call, Held
from .kinds import Kind, Seen, make_kind
from .observed import Observed, observe
from .varying import Row, name_groups, thinness, varying_groups


@dataclass
class _Group:
    """Calls of one key: how many there were of each combination of sizes, and an example."""

    first: Observed
    counts: dict[Row, int] = field(default_factory=dict)
    example: Call = ((), {})
    sizes: Row = ()

    def wants(self, seen: Observed) -> bool:
        """Whether this call makes a better example: torch takes sizes of 0 and 1 for fixed."""
        return not self.counts or thinness(seen.sizes) < thinness(self.sizes)

    def seen(self, signature: inspect.Signature, *, auto: bool) -> Seen:
        """All that is known of the calls."""
        places = self.first.places
        names, ones = name_groups(places, varying_groups(list(self.counts))), frozenset[int]()
        if auto:
            batch = batch_places(places, self.counts)
            names, ones = with_batch(names, batch), only_ones(places, self.counts, batch)
        return Seen(self.first.parts, places, self.counts, names, signature, auto, ones)


class Notes:
    """Takes note of calls. Threads may call at once; a call within a call is part of it."""

    def __init__(self, signature: inspect.Signature, defaults: Mapping[str, str]) -> None:
        self._signature = signature
        self._defaults = defaults
        self._groups: dict[Hashable, _Group] = {}
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
            seen = observe(self._signature, self._defaults, args, kwargs)
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

    @property
    def is_empty(self) -> bool:
        """Whether no call was noted yet."""
        return not self._groups

    def kinds(self, *, auto: bool) -> list[Kind]:
        """The kinds of the calls up to now, in order; ``auto`` as in `Seen`."""
        with self._lock:
            groups = [replace(group, counts=dict(group.counts)) for group in self._groups.values()]
        return [
            make_kind(
                f"call_{number}",
                group.example,
                group.sizes,
                group.seen(self._signature, auto=auto),
                group.first.autocast,
            )
            for number, group in enumerate(groups)
        ]

    def _wants(self, seen: Observed) -> bool:
        with self._lock:
            group = self._groups.get(seen.key)
            return group is None or group.wants(seen)

    def _add(self, seen: Observed, held: Held | None) -> None:
        example = held.example() if held is not None else None
        with self._lock:
            if not self._is_open:
                return
            group = self._groups.setdefault(seen.key, _Group(seen))
            if example is not None and group.wants(seen):
                group.example, group.sizes = example, seen.sizes
            group.counts[seen.sizes] = group.counts.get(seen.sizes, 0) + 1
