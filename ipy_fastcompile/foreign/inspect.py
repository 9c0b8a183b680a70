"""A path, a folder or bytes -> what is in it: our own artifact, or somebody else's.

Ours gives `ArtifactInfo`, verified member by member; others give `ForeignArtifact`, read by the
reader of their format. Neither loads, unpickles, imports or runs anything.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ..artifact.files import path_text
from ..artifact.inspect import ArtifactInfo, inspect as inspect_own
from ..artifact.limits import MANIFEST
from ..errors import ArtifactError
from .open import open_foreign
from .records import ForeignArtifact
from .source import is_folder, open_source

_NAME_AT = 30  # where the first member's name begins in a ZIP
_HEAD = b"PK\x03\x04"


def inspect(file: str | os.PathLike[str] | bytes) -> ArtifactInfo | ForeignArtifact | Any:
    """Read an artifact without loading it: no torch, no unpickling, nothing executed.

    Parameters
    ----------
    file:
        Path of one of our artifacts, trusted or not, or of somebody else's: an ``aot_compile``
        file, a ``standalone_compile`` artifact, an AOTInductor or export ``.pt2``, a
        ``torch.compiler.precompile`` file, a Mega-Cache, a folder of Inductor's or vLLM's cache,
        TorchScript, ``torch.save``, safetensors, or any pickle. Or the bytes of such a file.

    Returns
    -------
    ArtifactInfo or ForeignArtifact
        What was read; `str` gives it as text.

    Raises
    ------
    ArtifactNotFound, ArtifactUnreadable
        Nothing is there, or it cannot be read.
    ArtifactCorrupt
        It is one of ours, but not a whole one; every member is verified. `ForeignUnreadable`, if
        it is of no kind that is known.
    ArtifactIncompatible
        A newer version of this package wrote it.
    """
    if isinstance(file, (bytes, bytearray, memoryview)):
        data = bytes(file)
        return _own_bytes(data) if is_own(data[:100]) else open_foreign(data)
    path = path_text(file)
    if not is_folder(path):
        source = open_source(path)
        with source.file:
            head = source.head(100)
        if is_own(head):
            return inspect_own(path)
    return open_foreign(path)


def is_own(head: bytes) -> bool:
    """Whether a file begins as our artifacts do: a ZIP whose first member is the manifest."""
    name = MANIFEST.encode()
    return head.startswith(_HEAD) and head[_NAME_AT : _NAME_AT + len(name)] == name


def _own_bytes(data: bytes) -> ArtifactInfo:
    """One of our artifacts that is in memory; who made it cannot be told from bytes alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bytes.fastcompile"
        path.write_bytes(data)
        try:
            info = inspect_own(path)
        except ArtifactError as error:
            what = error.what.replace(str(path), "<bytes>")
            raise type(error)(what, error.hint, **error.facts | {"path": "<bytes>"}) from error
    info.path = "<bytes>"
    return info
