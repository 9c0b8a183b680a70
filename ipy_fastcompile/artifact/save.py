"""Manifest and members -> one signed artifact file, written in one step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..errors import ArtifactNotFound, KeyFileError, SaveError, warn_user
from ..frozen import frozen
from . import limits
from .atomic import write_atomically
from .container import pack_members
from .files import path_text
from .keyfile import make_key
from .manifest import write_manifest
from .trust import sign


@frozen
class SavedArtifact:
    """The file that was written: ``digest`` is of the whole file, ``size`` in bytes."""

    path: str
    digest: str  # "sha256:..."
    size: int
    signed: bool


def save_artifact(
    path: str | os.PathLike[str], manifest: Mapping[str, Any], members: Mapping[str, bytes]
) -> SavedArtifact:
    """Write one artifact: a ZIP whose manifest lists, and is signed over, every member.

    Parameters
    ----------
    path:
        The file to write or replace. It gets mode 0600.
    manifest:
        Plain JSON data; `format`, `package`, `created` and `members` are added.
    members:
        Name -> content, stored in this order; binaries are named by `blob_name`.

    Raises
    ------
    SaveError
        When the parts do not fit the format, or the file cannot be written; what was at ``path``
        is untouched.
    KeyFileError
        When this user's signing key is exposed, foreign or damaged.

    Warns
    -----
    FastCompileWarning
        When no signing key can be had: the artifact is then saved unsigned, and loads only where
        its digest is pinned.
    """
    where = savable_path(path)
    data, signed = pack_artifact(manifest, members, where)
    write_atomically(where, data)
    return SavedArtifact(
        path=where,
        digest=f"sha256:{sha256(data).hexdigest()}",
        size=len(data),
        signed=signed,
    )


def savable_path(path: Any) -> str:
    """The path as text. Raises SaveError for what is none."""
    try:
        return path_text(path)
    except ArtifactNotFound as error:
        raise SaveError(error.what, "Pass where to write it, a str or a Path.") from None


def pack_artifact(
    manifest: Mapping[str, Any], members: Mapping[str, bytes], path: str
) -> tuple[bytes, bool]:
    """The bytes of the artifact, and whether they are signed. ``path`` is for messages only."""
    for name, content in members.items():
        if not isinstance(content, bytes):
            raise SaveError(
                f"The member {name!r} is {type(content).__name__}, not bytes.",
                "Encode it before saving.",
                member=name,
            )
    raw = write_manifest(manifest, members)
    parts = {limits.MANIFEST: raw}
    try:
        parts[limits.SIGNATURE] = sign(raw, make_key())
    except KeyFileError as error:
        if error.facts.get("refused"):
            raise  # a key that others have seen is for the user to remove, not to work around
        warn_user(f"{path} is saved unsigned, and loads only with trust=<its digest>: {error}")
    return pack_members({**parts, **members}), limits.SIGNATURE in parts
