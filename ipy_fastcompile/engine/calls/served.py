"""captured graph -> whether it serves a call of some sizes, and from where on it serves none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import sympy
import torch

from ...records import Symbol
from ...torch_compat import symbolic
from ..sizes.expressions import solve_linear
from .captured import Captured
from .example import Call, resized
from .kinds import Kind
from .varying import Row

# A place by the way to it, as a captured call names it, and its dimension; None for a number.
Spot = tuple[str, int | None]


class Served:
    """The sizes that a graph takes: those of each place, and what it takes for granted of them."""

    def __init__(self, captured: Captured) -> None:
        self._at: dict[Any, list[Spot]] = {}
        self._captured = captured
        values = {n.name: n.meta.get("val") for n in captured.graph_module.graph.nodes}
        for spec in captured.inputs:
            value = values.get(spec.placeholder)
            if isinstance(value, torch.Tensor):
                for dim, size in enumerate(value.shape):
                    self._at.setdefault(_expression(size), []).append((spec.path, dim))
            elif symbolic.is_symbolic_int(value):
                self._at.setdefault(_expression(value), []).append((spec.path, None))
            elif type(spec.value) is int:
                self._at.setdefault(sympy.Integer(spec.value), []).append((spec.path, None))
        self._solved = {size: solve_linear(size) for size in self._at}
        self._ranges = {symbol.name: symbol for symbol in captured.symbols}

    def serves(self, kind: Kind, row: Row) -> bool:
        """Whether a call of the kind with these sizes meets all that the graph takes for granted.

        A number that the call leaves to its default is not among the sizes.
        """
        sizes = dict(zip(_spots(kind), row, strict=True))
        known: dict[Any, int] = {}
        given: dict[Any, int] = {}
        for size, spots in self._at.items():
            numbers = {sizes[spot] for spot in spots if spot in sizes}
            if len(numbers) > 1:
                return False
            for number in numbers:
                given[size] = number
                linear = self._solved[size]
                if linear is not None:
                    symbol, factor, offset = linear
                    known.setdefault(symbol, (number - offset) // factor)
        return (
            all(int(size.subs(known)) == number for size, number in given.items())
            and all(
                _is_within(self._ranges[name], known[symbol])
                for symbol, name in self._captured.names.items()
            )
            and all(bool(c.expression.subs(known)) for c in self._captured.conditions)
        )

    def serves_any(self, kind: Kind) -> bool:
        """Whether it serves a call of the kind that was seen."""
        return any(self.serves(kind, row) for row, count in kind.seen.rows.items() if count)

    def beyond(self, kind: Kind) -> Iterator[Row]:
        """Sizes that the model leaves out of a dimension: the nearest, and some well beyond.

        Not another piece of a size that is padded to pieces: there is no end of them. Not where a
        number is of the same size: what an object counts is of earlier calls, and cannot be made
        up.
        """
        positions = {spot: position for position, spot in enumerate(_spots(kind))}
        for symbol, name in self._captured.names.items():
            spots = self._at.get(symbol, [])
            if not spots or any(dim is None for _, dim in spots):
                continue
            taken, allowed = self._ranges[name], self._captured.limits[symbol]
            low, high = self._captured.pieces.get(symbol, (None, None))
            is_next = taken.min != low and taken.min - 1 > max(allowed[0], 1)
            sizes = [taken.min - 1] if is_next else []
            if taken.max is not None and taken.max not in (high, allowed[1]):
                sizes += [taken.max + 1, 2 * taken.max + 2]
            for size in sizes:
                changed = {positions[spot]: size for spot in spots}
                yield tuple(changed.get(p, n) for p, n in enumerate(kind.sizes))


def with_sizes(kind: Kind, sizes: Mapping[Spot, int]) -> Call:
    """The example of a kind with these sizes, where it has others."""
    places = zip(_spots(kind), kind.seen.places, strict=True)
    wanted = {(place.path, place.dim): sizes[spot] for spot, place in places if spot in sizes}
    return resized((kind.args, kind.kwargs), kind.seen.signature, wanted)


def _spots(kind: Kind) -> list[Spot]:
    """Where each size of a kind is; what falls into ``*args`` counts on from what has names."""
    parameters = list(kind.seen.signature.parameters.values())
    first = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), None)
    found: list[Spot] = []
    for place in kind.seen.places:
        path = place.path
        if first is not None:
            name = re.escape(parameters[first].name)
            path = re.sub(rf"^{name}\[(\d+)\]", lambda m: f"args[{int(m[1]) + first}]", path)
        found.append((path, place.dim))
    return found


def _expression(size: Any) -> Any:
    is_size = symbolic.is_symbolic_int(size)
    return symbolic.symbolic_expression(size) if is_size else sympy.Integer(size)


def _is_within(symbol: Symbol, size: int) -> bool:
    return symbol.min <= size and (symbol.max is None or size <= symbol.max)
