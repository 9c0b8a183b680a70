"""bytes -> fewer bytes -> the same bytes: zlib with the original size in front.

For members that no native load reads, or that are mostly text. A native load reads binaries, and
those are stored as they are.
"""

from __future__ import annotations

import struct
import zlib

from ..errors import ArtifactCorrupt

_HEADER = struct.Struct("<8sQ")
_MAGIC = b"ipyfc/z1"
# No part of an artifact is larger than this before compression, in bytes.
MAX_BYTES = 1 << 32


def squeeze(data: bytes) -> bytes:
    """Compress: 8 bytes of magic, the original size as a little-endian uint64, a zlib stream."""
    return _HEADER.pack(_MAGIC, len(data)) + zlib.compress(data, 6)


def is_squeezed(data: bytes) -> bool:
    """Whether ``data`` begins like what `squeeze` writes."""
    return data[:8] == _MAGIC


def unsqueeze(data: bytes, name: str, *, limit: int = MAX_BYTES) -> bytes:
    """The bytes that `squeeze` was given. ``name`` is the member's, for the message.

    Never produces more than the recorded size. Raises ArtifactCorrupt for anything else than what
    `squeeze` wrote, and for more than ``limit`` bytes.
    """
    if len(data) < _HEADER.size or not is_squeezed(data):
        raise _corrupt(name, "it does not begin like one")
    _, size = _HEADER.unpack_from(data)
    if size > limit:
        raise _corrupt(name, f"it claims {size} bytes, more than {limit}")
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data[_HEADER.size :], size + 1)
    except zlib.error as error:
        raise _corrupt(name, str(error)) from error
    if len(content) != size or not stream.eof or stream.unused_data:
        raise _corrupt(name, f"it holds {len(content)} bytes or more, not {size}")
    return content


def _corrupt(name: str, how: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"Member {name} is no compressed member: {how}.", "Save the artifact again.", member=name
    )
