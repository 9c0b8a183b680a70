"""a loaded function -> what pickle writes of it.

The artifact stays where it is: a pickle holds its path and digest, and the weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..artifact import open_artifact
from ..artifact.schema import Member
from ..errors import ArtifactError, NotPicklable
from ..frozen import frozen

SAVE_FIRST = "Save it with .save(path), and load it where it is needed: fc.load(path, model)."


@frozen
class Origin:
    """What a function was loaded from; ``members`` tell whether the file is still the same.

    ``again`` is what a pickle calls: `runtime.load.load_again`.
    """

    again: Callable[..., Any]
    path: str
    trust: str | None
    on_mismatch: str
    members: Mapping[str, Member]


def origin_of(
    again: Callable[..., Any],
    path: str | os.PathLike[str],
    trust: str | None,
    on_mismatch: str,
    members: Mapping[str, Member],
) -> Origin:
    """Where an artifact was loaded from."""
    where = os.path.abspath(os.fsdecode(path))
    return Origin(again, where, trust, on_mismatch, members)


def pinned(origin: Origin | None, model: str) -> Origin:
    """The origin with the digest of its file. Raises NotPicklable where there is none (now)."""
    if origin is None:
        raise NotPicklable(f"{model} was compiled in this process and is in no file.", SAVE_FIRST)
    try:
        artifact = open_artifact(origin.path, trust=origin.trust)
    except ArtifactError as error:
        raise NotPicklable(
            f"{model} cannot be pickled without its artifact: {error.what}", SAVE_FIRST
        ) from error
    if artifact.common.members != origin.members:
        raise NotPicklable(
            f"{origin.path} is another artifact than the one that {model} was loaded from.",
            "Load it again, and pickle that.",
        )
    return replace(origin, trust=artifact.digest)
