"""exported program -> its symbolic sizes: names, ranges and examples, as the user gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...records import FixedSize, Symbol
from ...torch_compat import symbolic
from .declared import Declared
from .dynamic import AskedSizes
from .expressions import solve_linear
from .fixed import check_fixed, fixed_sizes, merged
from .hints import is_derived, root_of
from .size_book import SizeBook
from .small_sizes import least_sizes
from .wishes import Spot


@dataclass(frozen=True)
class Symbols:
    """The symbolic sizes of a graph's inputs.

    ``names`` are those of the graph's symbols; ``declared`` what the user said of sizes that torch
    keeps apart: that they have one name, or are multiples of one. ``fixed`` are sizes that might
    have varied, ``limits`` the range of each symbol before the model's own conditions.
    """

    symbols: tuple[Symbol, ...]
    names: Mapping[Any, str]
    declared: tuple[Any, ...]
    fixed: tuple[FixedSize, ...]
    limits: Mapping[Any, tuple[int, int | None]]


@dataclass(frozen=True)
class _Size:
    """A size in the graph, its place and its example.

    It is ``factor*symbol + offset``; ``symbol`` is None for one that is of no such form.
    """

    spot: Spot
    expression: Any
    symbol: Any
    factor: int
    offset: int
    example: int

    @property
    def is_plain(self) -> bool:
        return (self.factor, self.offset) == (1, 0)


def without_names(shapes: Any) -> Any:
    """``dynamic_shapes`` with each named size left to torch, within its range."""
    if isinstance(shapes, Mapping):
        return {key: without_names(value) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return type(shapes)(without_names(value) for value in shapes)
    if isinstance(getattr(shapes, "__name__", None), str) and hasattr(shapes, "min"):
        return torch.export.Dim.AUTO(min=int(shapes.min), max=symbolic.finite(shapes.max))
    return shapes


def read_symbols(
    program: torch.export.ExportedProgram,
    inputs: Sequence[Any],
    leaves: Sequence[Any],
    asked: AskedSizes,
    book: SizeBook,
) -> Symbols:
    """The symbolic sizes of the inputs, under the names the user gave them.

    Raises `CaptureError` when a size that was to be dynamic is fixed by the model, or two sizes of
    different names are the same one.
    """
    varying = list(_sizes(program, inputs, leaves))
    check_fixed(asked, {size.spot for size in varying}, book)
    found = [size for size in varying if size.symbol is not None]
    of_spot = {size.spot: size for size in found}
    wishes: dict[Any, tuple[str, bool]] = {}
    declared = Declared()
    limits: dict[Any, tuple[int, int | None]] = {}
    for spot, wish in asked.wishes.items():
        size, dim = of_spot.get(spot), asked.dims[spot]
        if size is None:
            continue
        word, times, plus = declared.add(dim, size.expression)
        if not size.is_plain:
            continue
        if (times, plus) != (1, 0):
            word = f"{word}_times_{times}"  # of which torch only knows that it varies
        other, is_sure = wishes.setdefault(size.symbol, (word, asked.is_firm(wish)))
        if other != word and is_sure and asked.is_firm(wish):
            raise merged(other, word, size.symbol, book)
        low, high = limits.get(size.symbol, (0, None))
        limits[size.symbol] = (max(low, int(dim.min)), _lower_of(high, symbolic.finite(dim.max)))
    for size in found:  # of those that stand nowhere alone
        dim = asked.dims.get(size.spot)
        if dim is None or size.symbol in wishes:
            continue
        name, factor, offset = root_of(dim)
        wishes[size.symbol] = (name, False)
        if is_derived(dim) and (factor, offset) == (size.factor, size.offset):
            limits[size.symbol] = (int(dim.root.min), symbolic.finite(dim.root.max))
    examples = {size.symbol: size.example for size in reversed(found)}
    examples = {size.symbol: examples[size.symbol] for size in found}
    numbers = {size.spot for size in varying if size.spot[1] is None}  # they may be called alike
    taken = {spec.placeholder for spec in inputs if (spec.path, None) not in numbers}
    names = _names(examples, wishes, taken)
    asked_for = {s: limits.get(s, (0, None)) for s in examples}
    ranges = {s: _range(program, s, given) for s, given in asked_for.items()}
    least = least_sizes(program, book, ranges, asked_for, examples)
    symbols = tuple(
        Symbol(names[s], found.size, ranges[s][1], examples[s], found.why, found.source)
        for s, found in least.items()
    )
    given = {s: (min(least[s].size, max(2, low)), high) for s, (low, high) in asked_for.items()}
    fixed = fixed_sizes(asked, {size.spot for size in varying}, book)
    return Symbols(symbols, names, declared.conditions(), fixed, given)


def _names(
    symbols: Mapping[Any, int], wishes: Mapping[Any, tuple[str, bool]], taken: set[str]
) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for symbol in symbols:
        name, _ = wishes.get(symbol, (str(symbol), False))
        while name in taken:
            name += "_"
        taken.add(name)
        names[symbol] = name
    return names


def _sizes(
    program: torch.export.ExportedProgram, inputs: Sequence[Any], leaves: Sequence[Any]
) -> Iterator[_Size]:
    """Every size of the call that varies."""
    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    for spec, leaf in zip(inputs, leaves, strict=True):
        value = values.get(spec.placeholder)
        sizes: list[tuple[int | None, Any, Any]] = [(None, value, leaf)]
        if isinstance(value, torch.Tensor):
            sizes = [(d, size, leaf.shape[d]) for d, size in enumerate(value.shape)]
        for dim, size, example in sizes:
            if symbolic.is_symbolic_int(size):
                expression = symbolic.symbolic_expression(size)
                if not expression.free_symbols:
                    continue
                symbol, factor, offset = solve_linear(expression) or (None, 1, 0)
                number = (int(example) - offset) // factor
                yield _Size((spec.path, dim), expression, symbol, factor, offset, number)


def _range(
    program: torch.export.ExportedProgram,
    symbol: Any,
    given: tuple[int, int | None],
) -> tuple[int, int | None]:
    """What the user asked for, export allows, and the model's own guards leave of it."""
    bounds = program.range_constraints.get(symbol)
    low, high = given
    if bounds is not None:
        # Whatever the model says of 0 and 1, torch takes sizes for 2 or more.
        least = symbolic.finite(bounds.lower) or 0
        low = max(low, least if least > 2 else 0)
        high = _lower_of(high, symbolic.finite(bounds.upper))
    return low, high


def _lower_of(*highest: int | None) -> int | None:
    """The lowest upper end; None is none."""
    return min((n for n in highest if n is not None), default=None)
