"""a kind of call that one graph cannot serve -> several, of fewer sizes or numbers each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy
import torch

from ...errors import warn_user
from ...records import Symbol
from ...torch_compat import symbolic
from ..sizes.expressions import solve_linear
from .captured import Captured
from .kinds import Kind, make_kind
from .varying import Row, varying_groups

# The graphs that one kind of call may become.
MOST = 6


def by_numbers(kind: Kind) -> list[Kind]:
    """A kind for each value of the whole numbers that varied, `MOST` at most; none where none did.

    It is for a model that makes another graph of each.
    """
    rows = kind.seen.rows
    varied = [position for group in varying_groups(list(rows)) for position in group]
    numbers = sorted(p for p in varied if kind.seen.places[p].dim is None)
    if not numbers:
        return []
    parts: dict[Row, dict[Row, int]] = {}
    for row, count in rows.items():
        parts.setdefault(tuple(row[p] for p in numbers), {})[row] = count
    found = list(parts.values())
    for rest in found[MOST:]:
        _warn_of(kind, rest)
    return [_part(kind, number, part) for number, part in enumerate(found[:MOST], 1)]


def not_served(kind: Kind, captured: Captured) -> list[Kind]:
    """The calls of a kind that its graph does not serve, as a kind of their own; else none.

    A model may do another thing beyond some size, once a window is full for one; the graph is of
    what it does with the example.
    """
    left = {
        row: count
        for row, count in kind.seen.rows.items()
        if row != kind.sizes and not _is_served(_sizes_of(kind, row), captured)
    }
    number = int(kind.name.partition(".")[2] or 1) + 1
    if left and number > MOST:
        _warn_of(kind, left)
        return []
    return [_part(kind, number, left)] if left else []


def _part(kind: Kind, number: int, rows: Mapping[Row, int]) -> Kind:
    name = kind.name.partition(".")[0] + (f".{number}" if number > 1 else "")
    seen = replace(kind.seen, rows=rows)
    return make_kind(name, (kind.args, kind.kwargs), kind.sizes, seen, kind.autocast)


def _warn_of(kind: Kind, rows: Mapping[Row, int]) -> None:
    count = sum(rows.values())
    said = f"A call like {kind.name} is" if count == 1 else f"{count} calls like {kind.name} are"
    warn_user(
        f"{said} not compiled: the model does another thing for the sizes, and of one kind of call "
        f"{MOST} programs are made."
    )


def _sizes_of(kind: Kind, row: Row) -> dict[tuple[str, int | None], int]:
    """Each size by its place, as the captured call names it."""
    parameters = list(kind.seen.signature.parameters.values())
    first = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), None)
    found = {}
    for place, size in zip(kind.seen.places, row, strict=True):
        path = place.path
        if first is not None:
            name = re.escape(parameters[first].name)
            path = re.sub(rf"^{name}\[(\d+)\]", lambda m: f"args[{int(m[1]) + first}]", path)
        found[path, place.dim] = size
    return found


def _is_served(sizes: Mapping[tuple[str, int | None], int], captured: Captured) -> bool:
    """Whether a call of these sizes meets all that the graph takes for granted."""
    values = {n.name: n.meta.get("val") for n in captured.graph_module.graph.nodes}
    known: dict[Any, int] = {}
    pairs: list[tuple[Any, int]] = []
    for spec in captured.inputs:
        value = values.get(spec.placeholder)
        if isinstance(value, torch.Tensor):
            pairs += [(size, sizes[spec.path, dim]) for dim, size in enumerate(value.shape)]
        elif (spec.path, None) in sizes:
            is_size = symbolic.is_symbolic_int(value)
            pairs.append((value if is_size else spec.value, sizes[spec.path, None]))
    for size, number in pairs:
        solved = solve_linear(_expression(size))
        if solved is not None:
            symbol, factor, offset = solved
            known.setdefault(symbol, (number - offset) // factor)
    ranges = {symbol.name: symbol for symbol in captured.symbols}
    return (
        all(int(_expression(size).subs(known)) == number for size, number in pairs)
        and all(_is_within(ranges[name], known[s]) for s, name in captured.names.items())
        and all(bool(c.expression.subs(known)) for c in captured.conditions)
    )


def _expression(size: Any) -> Any:
    is_size = symbolic.is_symbolic_int(size)
    return symbolic.symbolic_expression(size) if is_size else sympy.Integer(size)


def _is_within(symbol: Symbol, size: int) -> bool:
    return symbol.min <= size and (symbol.max is None or size <= symbol.max)
