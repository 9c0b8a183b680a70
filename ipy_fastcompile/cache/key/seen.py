"""recorded calls of one kind -> lines of a key: the sizes that they had, as a reader says them.

What the graph of a kind does not serve of its calls becomes another program, so these sizes count.
Those that did not vary are the example's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...engine.calls.kinds import Kind
from ...engine.calls.varying import name_groups, varying_groups


def sizes_seen(kind: Kind) -> Iterator[tuple[str, str]]:
    """``("seen", "past 4 to 6")``, and which places varied together, by their numbers."""
    rows = list(kind.seen.rows)
    groups = varying_groups(rows)
    if not groups:
        return
    names = name_groups(kind.seen.places, groups)
    firsts = [group[0] for group in groups]
    combinations = sorted({tuple(row[first] for first in firsts) for row in rows})
    if len(firsts) == 1:
        yield "seen", f"{names[firsts[0]]} {_ranges([size for (size,) in combinations])}"
    else:
        heads = ", ".join(names[first] for first in firsts)
        yield "seen", f"({heads}): {', '.join(map(str, combinations))}"
    yield "varied together", str(groups)


def _ranges(sizes: Sequence[int]) -> str:
    """``4 to 6, 9``: all of them, in order."""
    runs: list[list[int]] = []
    for size in sizes:
        if runs and size == runs[-1][1] + 1:
            runs[-1][1] = size
        else:
            runs.append([size, size])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs)
