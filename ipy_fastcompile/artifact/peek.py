"""An artifact file -> its manifest and a few small members, without reading the rest.

For listings and explanations only: what is shown, never what runs. Nothing here asks who made the
file, so every text is a claim.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Collection
from hashlib import sha256
from typing import Any

from ..errors import ArtifactTooLarge, ContainerCorrupt, MemberCorrupt
from ..frozen import frozen
from . import limits
from .container import parse_directory
from .files import check_end, open_regular, read_exactly
from .parse import parse_manifest
from .schema.records import Common

_MAX_MEMBER_BYTES = 32 * 2**20


@frozen
class Glimpse:
    """A part of an artifact. ``size`` in bytes and ``modified`` in seconds are of the file."""

    path: str
    manifest: dict[str, Any]
    common: Common
    members: dict[str, bytes]
    size: int
    modified: float


def peek(path: str, names: Collection[str] = ()) -> Glimpse:
    """Read the manifest and those of the members ``names`` that are there.

    Raises what `open_artifact` raises for the container, the manifest and these members.
    """
    with open_regular(path) as (descriptor, status):
        start, count = check_end(descriptor, status.st_size, path)
        os.lseek(descriptor, start, os.SEEK_SET)
        tail = read_exactly(descriptor, status.st_size - start, path)
        members = parse_directory(tail[: status.st_size - start - 22], start, count, path)
        if next(iter(members), None) != limits.MANIFEST:
            raise ContainerCorrupt(
                f"{path} is not an artifact: its first member is not {limits.MANIFEST}.",
                "Name a file that save wrote.",
                path=path,
            )
        raw = _read(descriptor, members[limits.MANIFEST], limits.MANIFEST, path)
        spans = {name: (begin, end) for name, (begin, end, _) in members.items()}
        manifest, common = parse_manifest(raw, spans, path, is_hostile=True)
        contents = {}
        for name in names:
            if name not in common.members:
                continue
            contents[name] = _read(descriptor, members[name], name, path)
            if sha256(contents[name]).hexdigest() != common.members[name].sha256:
                raise MemberCorrupt(
                    f"Member {name} of {path} is not what was saved.",
                    "Save the artifact again.",
                    path=path,
                    member=name,
                )
        return Glimpse(path, manifest, common, contents, status.st_size, status.st_mtime)


def _read(descriptor: int, place: tuple[int, int, int], name: str, path: str) -> bytes:
    begin, end, crc = place
    if end - begin > _MAX_MEMBER_BYTES:
        raise ArtifactTooLarge(
            f"Member {name} of {path} has {end - begin} bytes, too many to show.",
            "It was not written by this package; save the artifact again.",
            path=path,
            member=name,
        )
    os.lseek(descriptor, begin, os.SEEK_SET)
    data = b""
    while len(data) < end - begin and (piece := os.read(descriptor, end - begin - len(data))):
        data += piece
    if len(data) != end - begin or zlib.crc32(data) != crc:
        raise ContainerCorrupt(
            f"{path} is not a whole artifact: the CRC-32 of member {name} is wrong.",
            "Copy the file again, or save the artifact again.",
            path=path,
        )
    return data
