"""exported program -> its symbolic sizes: names, ranges and examples, as the user gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ...errors import CaptureError
from ...records import Symbol
from ...torch_compat import symbolic
from ..code.sources import place
from .declared import Declared
from .expressions import solve_linear
from .size_book import SizeBook
from .small_sizes import least_sizes

# (id of a leaf of the call, dimension) -> torch.export's Dim that the user asked for.
GivenSizes = Mapping[tuple[int, int], Any]


def without_names(shapes: Any) -> Any:
    """``dynamic_shapes`` with each named dimension left to torch, within its range."""
    if isinstance(shapes, Mapping):
        return {key: without_names(value) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return type(shapes)(without_names(value) for value in shapes)
    if isinstance(getattr(shapes, "__name__", None), str) and hasattr(shapes, "min"):
        high = None if "oo" in str(shapes.max) else int(shapes.max)
        return torch.export.Dim.AUTO(min=int(shapes.min), max=high)
    return shapes


def read_symbols(
    program: torch.export.ExportedProgram,
    inputs: Sequence[Any],
    leaves: Sequence[Any],
    given: GivenSizes,
    book: SizeBook,
) -> tuple[tuple[Symbol, ...], dict[Any, str], tuple[Any, ...]]:
    """The symbolic sizes of the inputs, under the names the user gave them.

    Beside them, what the user said of sizes that torch keeps apart: that they have one name, or
    are multiples of one.

    Raises `CaptureError` when a size that was to be dynamic is fixed by the model, or two sizes of
    different names are the same one.
    """
    wishes: dict[Any, str] = {}
    declared = Declared()
    examples: dict[Any, int] = {}
    limits: dict[Any, tuple[int, int | None]] = {}
    for path, leaf, dim, size in _dimensions(program, inputs, leaves):
        wanted = given.get((id(leaf), dim))
        if not _varies(size):
            if wanted is not None and hasattr(wanted, "min"):
                raise _fixed(path, dim, wanted.__name__, int(leaf.shape[dim]), book)
            continue
        solved = solve_linear(symbolic.symbolic_expression(size))
        if solved is None:
            continue
        symbol, factor, offset = solved
        examples.setdefault(symbol, (int(leaf.shape[dim]) - offset) // factor)
        if wanted is None:
            continue
        word, times, plus = declared.add(wanted, symbolic.symbolic_expression(size))
        plain = (factor, offset) == (1, 0)
        if plain and (times, plus) != (1, 0):
            word = f"{word}_times_{times}"  # of which torch only knows that it varies
        if plain and wishes.setdefault(symbol, word) != word:
            raise _merged(wishes[symbol], word, symbol, book)
        wishes.setdefault(symbol, word)
        if plain:
            low, high = limits.get(symbol, (0, None))
            most = None if "oo" in str(wanted.max) else int(wanted.max)
            highest = [n for n in (high, most) if n is not None]
            limits[symbol] = (max(low, int(wanted.min)), min(highest, default=None))
    taken = {spec.placeholder for spec in inputs}
    names: dict[Any, str] = {}
    for symbol in examples:
        name = wishes.get(symbol, str(symbol))
        while name in taken:
            name += "_"
        taken.add(name)
        names[symbol] = name
    ranges = {s: _range(program, s, limits.get(s, (0, None))) for s in examples}
    least = least_sizes(program, book, ranges, examples)
    symbols = tuple(
        Symbol(names[s], least[s], ranges[s][1], example) for s, example in examples.items()
    )
    return symbols, names, declared.conditions()


def _varies(size: Any) -> bool:
    is_symbolic = symbolic.is_symbolic_int(size)
    return is_symbolic and bool(symbolic.symbolic_expression(size).free_symbols)


def _dimensions(
    program: torch.export.ExportedProgram, inputs: Sequence[Any], leaves: Sequence[Any]
) -> Iterator[tuple[str, torch.Tensor, int, Any]]:
    """(path, leaf, dimension, size in the graph) of every dimension of the call's tensors."""
    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    for spec, leaf in zip(inputs, leaves, strict=True):
        fake = values.get(spec.placeholder)
        if isinstance(fake, torch.Tensor):
            for dim, size in enumerate(fake.shape):
                yield spec.path, leaf, dim, size


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
        low = max(low, int(bounds.lower) if int(bounds.lower) > 2 else 0)
        if "oo" not in str(bounds.upper):  # sympy's infinities have no integer value
            high = int(bounds.upper) if high is None else min(high, int(bounds.upper))
    return low, high


def _fixed(path: str, dim: int, name: str, size: int, book: SizeBook) -> CaptureError:
    what = f"Dimension {dim} of {path} ({name}) cannot be dynamic as asked: "
    if size < 2:
        return CaptureError(
            f"{what}the example has size {size} there, and torch takes sizes 0 and 1 for fixed.",
            "Give an example whose size is 2 or more; the range may still begin at 1.",
        )
    source = book.who_fixed(size)
    line = f" at {place(source)}: {source.text}" if source else ""
    return CaptureError(
        f"{what}the model fixes it to {size}{line}.",
        "Leave it out of `dynamic`, or change the model so that any size will do.",
    )


def _merged(one: str, other: str, symbol: Any, book: SizeBook) -> CaptureError:
    source = book.who_merged(symbol)
    line = f" at {place(source)}: {source.text}" if source else ""
    return CaptureError(
        f"The dimensions {one} and {other} cannot be dynamic as asked: the model needs them to be "
        f"equal{line}.",
        f"Call both {one}: equal names are equal sizes.",
    )
