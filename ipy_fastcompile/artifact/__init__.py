"""Bytes <-> parts of an artifact, with the standard library alone.

`save_artifact` writes one file, `open_artifact` reads it back verified; `inspect`, `compare`,
`stamp` and `store` build on these two.

The format, ``ipy_fastcompile/2``
---------------------------------
One ZIP file, at most 2 GiB, so that any tool opens it. It has a single spelling: members STORED,
one behind the other from byte 0; then the central directory; then the end record; no byte before,
between or after. Headers: version needed 20, made by 3.20 (Unix), flags, times and disk numbers
0, date 0x0021, external attributes 0o100644 << 16, no extra field, no comment. A reader refuses
every other byte. Names are relative, of ASCII letters, digits, ``_ - . /``, at most 200 long, no
part starting with ``.`` or ``-``; at most 10,000 of them, none twice.

1. ``manifest.json`` comes first: an ASCII JSON object of at most 8 MiB, nested at most 64 deep.
   ``format`` is ``"ipy_fastcompile/<number>"``; a reader refuses greater numbers than its own.
   ``package`` and ``created`` (UTC, ISO 8601) are strings. ``members`` maps the name of every
   other member to ``[sha256, size]``; the file has these and no others. All other keys are the
   writer's.
2. ``manifest.sig``, if it is signed: one line of 94 bytes, ``hmac-sha256 <id> <mac>``. ``mac`` is
   HMAC-SHA256 over the bytes of `manifest.json` with the user's 32-byte key, ``id`` the first 16
   digits of SHA-256 over ``"ipy_fastcompile key id"``, a zero byte and the key.
3. The members. Texts have telling names; binaries are ``blobs/<sha256 of the content>``, each
   content once.

To verify: the layout; the CRC-32 of the first two members (it tells damage from forgery); the
signature or a pinned digest of the whole file; the manifest; a member's hash when it is read.
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
