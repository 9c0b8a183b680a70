"""the sizes that calls were seen with -> which of them are their batch, as far as that is plain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .observed import Place, holder_of
from .varying import Row


def batch_places(places: Sequence[Place], rows: Iterable[Row]) -> frozenset[int]:
    """The first dimension of every tensor that has more than one, where all of them always agreed.

    It is none where one of them says otherwise.
    """
    found = [p for p, place in enumerate(places) if place.dim == 0 and place.rank > 1]
    agreed = all(len({row[p] for p in found}) == 1 for row in rows)
    return frozenset(found) if agreed else frozenset()


def with_batch(names: Mapping[int, str], batch: frozenset[int]) -> dict[int, str]:
    """The names of the sizes that varied, and one for the batch where that did not."""
    named = {p: names[p] for p in batch if p in names}
    word = "batch" if "batch" not in names.values() else "batch_size"
    return {**names, **dict.fromkeys(batch - named.keys(), next(iter(named.values()), word))}


def only_ones(
    places: Sequence[Place], rows: Iterable[Row], batch: frozenset[int]
) -> frozenset[int]:
    """The places of a batch that was 1 in every call, and the numbers beside it that may be it.

    Such a number is 1, too, in an object that holds a tensor of this batch.
    """
    seen = list(rows)
    if not batch or any(row[p] != 1 for row in seen for p in batch):
        return frozenset()
    holders = {holder_of(places[p].path) for p in batch}
    numbers = (
        p
        for p, place in enumerate(places)
        if place.dim is None and "." in place.path and holder_of(place.path) in holders
    )
    return batch | {p for p in numbers if all(row[p] == 1 for row in seen)}
