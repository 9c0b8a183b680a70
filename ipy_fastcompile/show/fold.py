"""a sequence with repeats -> folded items: ``a b c b c b c d`` -> ``a [b c] x 3 d``."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

# A pattern longer than this is no longer a pattern that a reader recognises.
LONGEST_PERIOD = 64


@dataclass(frozen=True)
class Item:
    """``period * count`` entries from ``first`` on: a pattern, ``count`` times."""

    first: int
    period: int = 1
    count: int = 1

    @property
    def is_fold(self) -> bool:
        """Whether this stands for more than one repeat."""
        return self.count > 1

    @property
    def stop(self) -> int:
        """The index after the last entry covered."""
        return self.first + self.period * self.count


def fold_repeats(kinds: Sequence[Hashable]) -> tuple[Item, ...]:
    """Fold what repeats, from left to right, taking the pattern that hides most entries.

    A pattern is folded when that hides at least two entries; of two patterns that hide the same
    number, the shorter one is taken. Every entry is covered by exactly one item.
    """
    items: list[Item] = []
    start = 0
    while start < len(kinds):
        best = Item(start)
        for period in range(1, min(LONGEST_PERIOD, (len(kinds) - start) // 2) + 1):
            pattern, count = kinds[start : start + period], 1
            while kinds[start + count * period : start + (count + 1) * period] == pattern:
                count += 1
            hidden = period * (count - 1)
            if hidden >= 2 and hidden > best.period * (best.count - 1):
                best = Item(start, period, count)
        items.append(best)
        start = best.stop
    return tuple(items)
