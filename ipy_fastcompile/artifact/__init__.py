"""Bytes <-> parts of an artifact, with the standard library alone.

`save_artifact` writes one file, `open_artifact` reads it back verified; `inspect` builds on that,
and `compare` on `inspect`.

FORMAT.md, in this folder, is the specification of the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .open import OpenArtifact, open_artifact

if TYPE_CHECKING:
    from .manifest import blob_name
    from .save import SavedArtifact, save_artifact

__all__ = ["OpenArtifact", "SavedArtifact", "blob_name", "open_artifact", "save_artifact"]


# What writes is imported on first use: a load never needs it, and counts in ms.
def __getattr__(name: str) -> Any:
    if name in ("SavedArtifact", "save_artifact"):
        from . import save

        return getattr(save, name)
    if name == "blob_name":
        from .manifest import blob_name

        return blob_name
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
