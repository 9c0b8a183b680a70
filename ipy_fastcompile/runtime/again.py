"""a loaded function -> what pickle writes of it.

The artifact stays where it is: a pickle holds its path and digest, and the weights.
"""

from __future__ import annotations

from dataclasses import replace

from ..artifact import open_artifact
from ..errors import ArtifactError, NotPicklable
from .request import Origin

SAVE_FIRST = "Save it with .save(path), and load it where it is needed: fc.load(path, model)."


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
