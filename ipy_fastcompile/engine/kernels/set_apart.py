"""Lowered with nodes that Inductor refused -> Lowered anew, each of them cut out of its submodule.

One op that Inductor does not know costs a submodule its kernel. Set apart, it runs uncompiled, and
what is around it compiled; that may bring the next one to light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..graph.boundaries import SplitFunction
from ..graph.regions import spell_out
from ..graph.split import split
from .lower import OnKernel, lower
from .lowered import Key, Lowered, Reusable

# A model of more refused nodes than this is better told as it is.
_MOST_REFUSED = 64


def set_refused_apart(
    lowered: Lowered,
    split_at: Sequence[str] | str | SplitFunction | None,
    sizes: Mapping[str, list[int]],
    on_kernel: OnKernel,
    known: Mapping[Key, Reusable] | None = None,
    *,
    explain: bool = False,
) -> Lowered:
    """Split and lower again, until Inductor refuses nothing new."""
    captured = lowered.split.captured
    refused: dict[str, str] = {}
    while set(lowered.refused) - set(refused) and len(refused) < _MOST_REFUSED:
        refused |= lowered.refused
        spell_out(captured.graph_module, refused)
        split_graph = split(captured, split_at, refused=refused)
        lowered = lower(split_graph, sizes=sizes, on_kernel=on_kernel, known=known, explain=explain)
    return lowered
