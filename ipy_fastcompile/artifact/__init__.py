"""Bytes <-> parts of an artifact, with the standard library alone.

`save_artifact` writes one file, `open_artifact` reads it back verified; `inspect`, `stamp` and
`store` build on these two.
"""

from __future__ import annotations

from .manifest import blob_name
from .open import OpenArtifact, open_artifact
from .save import SavedArtifact, save_artifact

__all__ = ["OpenArtifact", "SavedArtifact", "blob_name", "open_artifact", "save_artifact"]
