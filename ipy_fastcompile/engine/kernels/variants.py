"""sizes that were asked for -> the variants that kernels are compiled for, or an InputError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from ...errors import InputError
from ..graph.split import SplitGraph
from ..sizes.phrases import phrase
from .lowered import Variant


def size_variants(split: SplitGraph, sizes: Mapping[str, list[int]]) -> list[Variant]:
    """``{"seq": [1, 16]}`` -> [(("seq", 1),), (("seq", 16),)]; several names make all pairs.

    Raises InputError for a name that is no symbolic size, or a size out of its range.
    """
    symbols = {s.name: s for s in split.captured.symbols}
    check_names(sizes, symbols)
    for name, values in sizes.items():
        symbol = symbols[name]
        for value in values:
            if value < symbol.min or (symbol.max is not None and value > symbol.max):
                raise InputError(
                    f"sizes asks for {name}={value}, outside its range "
                    f"[{symbol.min}, {symbol.max if symbol.max is not None else 'inf'}].",
                    "Widen the range in `dynamic`.",
                )
    names = [s.name for s in split.captured.symbols if s.name in sizes]
    if not names:
        return []
    if len(names) < len(symbols):
        missing = ", ".join(n for n in symbols if n not in sizes)
        raise InputError(
            f"sizes leaves {missing} open.", "Name a size for every dynamic dimension."
        )
    found = [
        tuple(zip(names, values, strict=True)) for values in product(*(sizes[n] for n in names))
    ]
    for variant in found:
        _check_conditions(split, dict(variant))
    return found


def check_names(sizes: Mapping[str, list[int]], symbols: Iterable[str]) -> None:
    """Raise InputError for a name that is none of the symbolic sizes."""
    names = dict.fromkeys(symbols)
    for name in sizes:
        if name not in names:
            known = ", ".join(names) or "none: no dimension is dynamic"
            raise InputError(
                f"sizes names {name!r}, which is not a dynamic dimension.", f"There are: {known}."
            )


def _check_conditions(split: SplitGraph, variant: Mapping[str, int]) -> None:
    """Refuse sizes that no call can have."""
    captured = split.captured
    by_symbol = {symbol: variant[name] for symbol, name in captured.names.items()}
    for condition in captured.conditions:
        if str(condition.expression.subs(by_symbol)) == "False":
            asked = ", ".join(f"{name}={size}" for name, size in variant.items())
            raise InputError(
                f"sizes asks for {asked}, and the model takes sizes only where "
                f"{phrase(condition, captured.names).words}.",
                "Ask for sizes that the model takes.",
            )
