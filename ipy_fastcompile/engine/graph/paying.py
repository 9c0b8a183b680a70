"""boundaries of repeated layers -> those that pay: beside a piece that shares its kernel.

A cut costs a kernel: what is around it is lowered, built and called in two pieces. It is worth that
where one of them is compiled once for several places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from torch.fx import Node

from .boundaries import SplitReason
from .twins import Description, first_difference


def paying_boundaries(
    starts: Mapping[Node, SplitReason], firsts: Sequence[Node], pieces: Sequence[Description]
) -> dict[Node, SplitReason]:
    """Those of ``starts`` with a piece before or behind them that another piece is the same as.

    ``pieces`` are what the graph falls into when it is cut at all of them, ``firsts`` the first
    node of each.
    """
    digests = [piece.digest for piece in pieces]
    counts = Counter(digests)
    shares = [counts[digest] > 1 for digest in digests]
    return {
        node: starts[node]
        for at, node in enumerate(firsts)
        if node in starts and (shares[at] or (at > 0 and shares[at - 1]))
    }


def why_whole(
    starts: Mapping[Node, SplitReason],
    paying: Mapping[Node, SplitReason],
    pieces: Sequence[Description],
) -> str:
    """What a report says of boundaries that were left out, and of near-twins among the layers."""
    layer = next(reason.detail.split()[0] for reason in starts.values() if " " in reason.detail)
    if paying:
        return f"Cut at its repeated layers ({layer}) only where two of them share a kernel."
    said = f"Not cut at its repeated layers ({layer}): no two of them would share a kernel"
    apart = (first_difference(a, b) for at, a in enumerate(pieces) for b in pieces[:at])
    for difference in filter(None, apart):
        node, own, other = difference
        return f"{said}. Two do the same but for node {node}: {own} instead of {other}."
    return f"{said}."
