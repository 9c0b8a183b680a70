"""Bytes <-> parts of an artifact, with the standard library alone.

`save_artifact` writes one file, `open_artifact` reads it back verified; `inspect` builds on that,
and `compare` on `inspect`.

FORMAT.md, in this folder, is the specification of the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .manifest import blob_name
from .open import OpenArtifact, open_artifact

if TYPE_CHECKING:
    from .save import SavedArtifact, save_artifact

__all__ = ["OpenArtifact", "SavedArtifact", "blob_name", "open_artifact", "save_artifact"]


def __getattr__(name: str) -> Any:
    if name in ("SavedArtifact", "save_artifact"):  # a load never needs them, and counts in ms
        from . import save

        return getattr(save, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
