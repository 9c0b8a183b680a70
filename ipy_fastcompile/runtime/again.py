"""a loaded function -> what pickle writes of it, and the function again in another process.

The artifact stays where it is: a pickle holds its path and digest, and the weights.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ..artifact import open_artifact
from ..errors import ArtifactError, NotPicklable

SAVE_FIRST = "Save it with .save(path), and load it where it is needed: fc.load(path, model)."


@dataclass(frozen=True)
class Origin:
    """What a function was loaded from; ``members`` tell whether the file is still the same."""

    path: str
    trust: str | None
    on_mismatch: str
    members: Mapping[str, Any]
    names: tuple[str, ...]


def origin_of(
    path: str | os.PathLike[str],
    trust: str | None,
    on_mismatch: str,
    manifest: Mapping[str, Any],
) -> Origin:
    """Where an artifact was loaded from."""
    names = tuple(row[0] for row in manifest["program"]["parameters"])
    where = os.path.abspath(os.fsdecode(path))
    return Origin(where, trust, on_mismatch, manifest["members"], names)


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
    if artifact.manifest["members"] != origin.members:
        raise NotPicklable(
            f"{origin.path} is another artifact than the one that {model} was loaded from.",
            "Load it again, and pickle that.",
        )
    return Origin(origin.path, artifact.digest, origin.on_mismatch, {}, ())


def load_again(
    path: str,
    trust: str,
    via: str,
    on_mismatch: str,
    weights: Mapping[str, torch.Tensor],
    _types: Mapping[str, Any],
) -> Any:
    """What a pickle calls: exactly the same file, loaded with the weights that it holds.

    The types are there so that unpickling them imports their modules.
    """
    from .load import load

    return load(path, weights, via=via, trust=trust, on_mismatch=on_mismatch)
