"""two nodes of a kernel -> whether they are fused, and if not, what Inductor recorded of it."""

from __future__ import annotations

import re

from .explained import Explained, FusedGroup, ScheduledNode
from .frozen import frozen

# How two nodes stand to each other.
SAME, LOOPS, FUNCTION, APART = "same", "loops", "function", "apart"


@frozen
class Pair:
    """Two nodes of the scheduler, and how they stand to each other.

    ``relation`` is "same" (they are one node), "loops" (fused into one group), "function"
    (in one C++ function, each in loops of its own), or "apart". ``reasons`` are Inductor's words
    for why it did not fuse them, alone or with what each was fused with by then, in this order;
    empty where it recorded none.
    """

    first: ScheduledNode
    second: ScheduledNode
    relation: str
    kernels: tuple[str, str]
    reasons: tuple[str, ...] = ()


def find_nodes(explained: Explained, name: str) -> tuple[ScheduledNode, ...]:
    """The nodes of the scheduler that a name means: its own, of a buffer, or of a graph's node.

    Raises LookupError, with the names that there are, where there is none.
    """
    for names_of in (
        lambda node: (node.name, *node.buffers),
        lambda node: node.sources,
        lambda node: node.origins,
    ):
        if found := tuple(node for node in explained.nodes if name in names_of(node)):
            return found
    known = dict.fromkeys(n for node in explained.nodes for n in (node.name, *node.sources))
    raise LookupError(
        f"There is no node {name!r:.60} in this kernel; there are {', '.join(known)}."
    )


def relate(explained: Explained, first: ScheduledNode, second: ScheduledNode) -> Pair:
    """How two nodes of the scheduler stand to each other."""
    one, other = (_group_of(explained, node) for node in (first, second))
    kernels = one.kernel, other.kernel
    if first.name == second.name:
        return Pair(first, second, SAME, kernels)
    if one.nodes == other.nodes:
        return Pair(first, second, LOOPS, kernels)
    relation = FUNCTION if one.kernel and one.kernel == other.kernel else APART
    if "extern" in (first.kind, second.kind):
        relation = APART
    return Pair(first, second, relation, kernels, _reasons(explained, first.name, second.name))


def answers(explained: Explained, first: str, second: str) -> tuple[Pair, ...]:
    """Of all nodes of the scheduler that two names mean: one pair, or several where they differ.

    A node of the graph may have become several; pairs of which the same can be said are one.
    """
    found: dict[tuple[object, ...], Pair] = {}
    for a in find_nodes(explained, first):
        for b in find_nodes(explained, second):
            pair = relate(explained, a, b)
            found.setdefault((pair.relation, pair.kernels, pair.reasons), pair)
    return tuple(found.values())


def _group_of(explained: Explained, node: ScheduledNode) -> FusedGroup:
    """The group that a node is in; one of its own where it went before there were any."""
    found = (group for group in explained.groups if node.name in group.nodes)
    return next(found, FusedGroup((node.name,)))


def _reasons(explained: Explained, first: str, second: str) -> tuple[str, ...]:
    """What was said of two groups that the nodes were in, in either order; of the largest last.

    What was said before a node was fused with another one was not said of that one.
    """
    found: dict[str, int] = {}
    for refusal in explained.refusals:
        sides = refusal.first, refusal.second
        for a, b in (sides, sides[::-1]):
            if first in a and second in b:
                found[refusal.reason] = max(found.get(refusal.reason, 0), len(a) + len(b))
    return tuple(sorted(found, key=lambda reason: found[reason]))


# What Inductor's words mean for the one who reads them; its scheduler.py and codegen/simd.py.
_MEANING = (
    (
        "memory deps did not match",
        "The second reads what the first writes in another order, or in other pieces.",
    ),
    (
        "intermediate nodes between",
        "What the second needs of the first goes through a third, which is not in their group.",
    ),
    (
        "no shared data",
        "Inductor sees nothing that both touch in one order: fusing would save no memory traffic.",
    ),
    (
        r"numel/rnumel mismatch|numel incompatibility|numel/rnumel incompatibility",
        "They loop over different numbers of elements.",
    ),
    ("tiling mismatch", "Their loops are cut into tiles that do not fit."),
    (r"is extern|is nop", "One is a call of a library, whose inside Inductor does not write."),
    ("device mismatch", "They run on different devices."),
    ("must go before", "The first needs a result of the second."),
    ("reduction", "One is a reduction that does not fit into the loops of the other."),
)


def meaning(reason: str) -> str:
    """What a reason of Inductor's means, empty for one that is not known here."""
    found = (text for pattern, text in _MEANING if re.search(pattern, reason))
    return next(found, "")
