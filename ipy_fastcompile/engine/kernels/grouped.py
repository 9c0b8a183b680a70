"""SplitGraph -> its submodules by what they compute: each group of twins runs one kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...records import NearTwin
from ..graph.layout import settle_layouts
from ..graph.split import SplitGraph, Submodule
from ..graph.twins import Description, describe, first_difference
from ..sizes.kernel_guards import symbol_ranges
from .compile import at_size


@dataclass(frozen=True)
class Grouped:
    """``descriptions`` of all submodules; ``groups`` of those that are compiled, by digest."""

    descriptions: tuple[Description, ...]
    groups: dict[str, list[Submodule]]


def group_twins(split: SplitGraph) -> Grouped:
    """Group the submodules of a split graph, once its inlined ones are laid out as predicted."""
    settle_layouts(split, at_size)
    ranges = symbol_ranges(split)
    descriptions = tuple(describe(sub.graph_module, ranges) for sub in split.submodules)
    groups: dict[str, list[Submodule]] = {}
    for sub, description in zip(split.submodules, descriptions, strict=True):
        if not sub.inlined:
            groups.setdefault(description.digest, []).append(sub)
    return Grouped(descriptions, groups)


def near_twin(
    first: Submodule, descriptions: Sequence[Description], kernels: Iterable[tuple[int, int]]
) -> NearTwin | None:
    """Why this submodule does not share the kernel of an earlier one that has the same ops.

    ``kernels`` are the earlier ones, each with the first submodule that runs it.
    """
    for kernel, earlier in kernels:
        difference = first_difference(descriptions[first.index], descriptions[earlier])
        if difference is not None:
            return NearTwin(kernel, earlier, *difference)
    return None
