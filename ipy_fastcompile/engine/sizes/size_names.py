"""a dimension that nobody named -> a name: its argument's, and a word that people have for it.

``input_ids_length``, ``pixel_values_height``. Where no word is sure, its number stands there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKENS = {"ids", "tokens", "labels", "mask", "positions", "segments"}
_STATES = {"embeds", "embeddings", "states", "features"}
_IMAGES = {"pixel", "pixels", "image", "images", "img", "imgs"}
_CACHE = {"cache", "past", "key", "keys", "value", "values"}
_TEXT = ("batch", "length", "features")
_IMAGE = ("batch", "channels", "height", "width")
_HEADS = ("batch", "heads", "length", "head_size")
# Words of a path, the ranks of a tensor under it, and what its dimensions are; the first that fits.
_KNOWN: tuple[tuple[set[str], dict[int, Sequence[str]]], ...] = (
    (_IMAGES, {3: _IMAGE[1:], 4: _IMAGE}),
    (
        {"mask"},
        {
            1: ("length",),
            2: _TEXT,
            3: ("batch", "queries", "keys"),
            4: ("batch", "heads", "queries", "keys"),
        },
    ),
    (_TOKENS, {1: ("length",), 2: _TEXT}),
    (_STATES, {2: _TEXT, 3: _TEXT}),
    (_CACHE, {4: _HEADS}),
)
# Of a tensor whose name says nothing: the conventions of `torch.nn`; features seldom vary.
_PLAIN: dict[int, Sequence[str]] = {1: ("length",), 2: _TEXT[:2], 3: _TEXT, 4: _IMAGE}


def dimension_word(path: str, dim: int, rank: int | None = None) -> str:
    """``length`` for dimension 1 of ``input_ids``; ``1`` where nothing tells.

    ``rank`` is None where the tensor is not known, and ``dim`` may then count from the end.
    """
    words = set(re.findall(r"[a-z]+", path.lower()))
    for telling, ranks in _KNOWN:
        if words & telling:
            names = ranks.get(max(ranks) if rank is None else rank, ())
            break
    else:
        names = _PLAIN.get(rank, ()) if rank is not None else ()
    if 0 <= dim < len(names):
        return names[dim]
    if dim < 0:
        return "last" if dim == -1 else f"last_but_{-dim - 1}"
    return str(dim)
