"""submodules that were compiled -> the conditions on sizes that their kernels rely on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy
from torch.fx import GraphModule

from ...torch_compat import guards, symbolic
from ..graph.split import SplitGraph, Submodule, sizes_of
from .conditions import Condition, reduce_conditions


class GuardsOfKernels:
    """What layouts and Inductor add to the conditions of a graph, for every twin of a kernel.

    A kernel is compiled for the symbols of the first submodule that runs it; what it relies on is
    true of the symbols that its twins have in the same places.
    """

    def __init__(self, split: SplitGraph) -> None:
        self._split = split
        self._environment = guards.shape_environment(split.captured.graph_module)
        self._of_twins: list[Any] = []
        self._known = len(self._recorded())

    def add(self, places: Sequence[Mapping[Any, Any]]) -> tuple[Any, ...]:
        """Note what compiling a submodule recorded, for it and its twins (see `places_of`)."""
        recorded = self._recorded()
        new, self._known = tuple(recorded[self._known :]), len(recorded)
        self.add_guards(new, places)
        return new

    def add_guards(self, guards: Sequence[Any], places: Sequence[Mapping[Any, Any]]) -> None:
        """Note guards, each for the symbols in all of these places."""
        for names in places:
            self._of_twins += [guard.xreplace(names) for guard in guards]

    def _recorded(self) -> list[Any]:
        """What came after the capture."""
        if self._environment is None:
            return []
        return [
            symbolic.replaced_sizes(self._environment, guard)
            for guard in guards.recorded_guards(self._environment)
            if guard not in self._split.captured.guards
        ]

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of the graph, and what is new and does not follow from them."""
        captured = self._split.captured
        names = captured.names
        new = [
            Condition(guard)
            for guard in dict.fromkeys([*self._recorded(), *self._of_twins])
            if guard.free_symbols <= set(names)
        ]
        if not new:
            return captured.conditions
        return reduce_conditions([*captured.conditions, *new], captured.limits)

    def of_data(self) -> tuple[Condition, ...]:
        """What is checked while the model runs: of sizes that depend on values."""
        if self._environment is None:
            return ()
        known = set(self._split.captured.names)
        asserted = dict.fromkeys(guards.asserted_of_data(self._environment))
        return tuple(Condition(a) for a in asserted if not a.free_symbols <= known)


def places_of(subs: Sequence[Submodule]) -> list[dict[Any, Any]]:
    """Symbol of the first of these twins -> what is in its place, for each of them.

    To be asked before the first is compiled: its outputs may be laid out anew then, by nodes that
    its twins do not have.
    """
    mine = sizes_in(subs[0].graph_module) if len(subs) > 1 else ()
    others = [places_between(mine, sizes_in(twin.graph_module)) for twin in subs[1:]]
    return [{}, *others]


def sizes_in(graph_module: GraphModule) -> tuple[Any, ...]:
    """The expression of every size in a graph, node by node."""
    values = (node.meta.get("val") for node in graph_module.graph.nodes)
    return tuple(symbolic.symbolic_expression(n) for value in values for n in sizes_of(value))


def places_between(mine: Sequence[Any], its: Sequence[Any]) -> dict[Any, Any]:
    """Symbol of one graph -> what is in its place in another; the sizes are those of `sizes_in`."""
    found: dict[Any, Any] = {}
    for symbol, other in zip(mine, its, strict=True):
        if symbol.is_Symbol:
            found.setdefault(symbol, other)
    return found


def symbol_ranges(split: SplitGraph) -> dict[Any, str]:
    """Symbol -> its range and conditions as text: where these differ, so do the kernels.

    A kernel is written for what is known of its sizes, that they are multiples for instance.
    """
    captured = split.captured
    limits = {s.name: f"[{s.min},{s.max}]" for s in captured.symbols}
    return {
        symbol: limits.get(name, "") + "".join(_about(symbol, captured.conditions, captured.names))
        for symbol, name in captured.names.items()
    }


def _about(symbol: Any, conditions: Sequence[Condition], names: Mapping[Any, str]) -> Iterator[str]:
    """The conditions on a symbol, itself called ``#`` in them."""
    for condition in conditions:
        if symbol in condition.symbols:
            written = {s: sympy.Symbol("#" if s == symbol else names[s]) for s in condition.symbols}
            yield f" {condition.expression.xreplace(written)}"
