"""sizes that were to vary and do not -> a refusal, or for the report the line that fixed them."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ...errors import CaptureError
from ...records import FixedSize, Source
from ..code.sources import place
from .dynamic import AskedSizes
from .hints import is_auto
from .size_book import SizeBook
from .wishes import Spot, Wish


def check_fixed(asked: AskedSizes, varying: Set[Spot], book: SizeBook) -> None:
    """Refuse a fixed size that was asked for, alone or with others of which none varies.

    Raises `CaptureError` naming it and the line of the model.
    """
    varied = {w.many for spot, w in asked.wishes.items() if spot in varying}
    for spot, wish in asked.wishes.items():
        is_refused = asked.is_firm(wish) or (
            bool(wish.many) and not is_auto(wish.value) and wish.many not in varied
        )
        if spot not in varying and is_refused:
            raise _fixed(asked, wish, book)


def fixed_sizes(asked: AskedSizes, varying: Set[Spot], book: SizeBook) -> tuple[FixedSize, ...]:
    """The sizes that were asked for with others, and that are fixed; alike ones are one entry."""
    groups: dict[Any, list[str]] = {}
    for wish in asked.small:
        word = "the example is" if wish.dim is not None else "the example has"
        why = f"{word} {wish.size}, and torch makes 0 and 1 constants"
        _group(groups, wish, why, None)
    for spot, wish in asked.wishes.items():
        if spot not in varying:
            source = book.who_fixed(spot, wish.size)
            _group(groups, wish, "the model fixes it", source)
    return tuple(
        FixedSize(tuple(paths), dim, size, why, source)
        for (_, dim, size, why, source), paths in groups.items()
    )


def _group(groups: dict[Any, list[str]], wish: Wish, why: str, source: Source | None) -> None:
    key = (wish.many, wish.dim, wish.size, why, source)
    groups.setdefault(key, []).append(wish.place.where)


def _fixed(asked: AskedSizes, wish: Wish, book: SizeBook) -> CaptureError:
    name = asked.dims[wish.spot].__name__
    of = f"Dimension {wish.dim} of {wish.place.where}" if wish.dim is not None else wish.place.where
    source = book.who_fixed(wish.spot, wish.size)
    line = f" at {place(source)}: {source.text}" if source else ""
    hint = "Leave it out of `dynamic`, or change the model so that any size will do."
    if wish.many:
        hint = (
            f'Write "auto" for {wish.many}: numbers that it holds may then vary with its '
            "dimensions."
        )
    beside = _beside(asked, wish)
    if beside:
        hint = f"Let {' and '.join(beside)} vary with it, under the same name."
    return CaptureError(
        f"{of} ({name}) cannot be dynamic as asked: the model fixes it to {wish.size}{line}.", hint
    )


def _beside(asked: AskedSizes, wish: Wish) -> list[str]:
    """Tensors of the same size in the same container, of which nobody asked that they vary.

    The keys of a cache do not vary without its values.
    """
    dim = wish.dim
    if dim is None or asked.root is None:
        return []
    return [
        f"{place.where}:{dim}"
        for place in asked.root.beside(wish.place)
        if place.is_tensor
        and place.value.dim() > dim
        and place.value.shape[dim] == wish.size
        and (place.where, dim) not in asked.dims
    ][:4]


def merged(one: str, other: str, symbol: Any, book: SizeBook) -> CaptureError:
    """The refusal of two names for sizes that are always equal."""
    source = book.who_merged(symbol)
    line = f" at {place(source)}: {source.text}" if source else ""
    return CaptureError(
        f"The dimensions {one} and {other} cannot be dynamic as asked: the model needs them to be "
        f"equal{line}.",
        f"Call both {one}: equal names are equal sizes.",
    )
