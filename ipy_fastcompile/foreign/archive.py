"""A ZIP that somebody else wrote -> its members, each read within limits, none extracted.

Others' ZIPs are lax: PyTorch pads members, some writers put bytes before the first. Python's reader
finds the members; what it gives is checked here before anything is inflated.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO, cast

from ..errors import ForeignUnreadable
from . import limits
from .source import Source


class Unreadable(ValueError):
    """Why a member is not read; never leaves this room."""


@dataclass
class Archive:
    """The members by name, without the folder that PyTorch puts around all of them."""

    path: str
    members: dict[str, zipfile.ZipInfo]
    zip: zipfile.ZipFile
    folder: str = ""
    odd: list[tuple[str, str]] = field(default_factory=list)
    unpacked: int = 0
    digested: int = 0

    def size(self, name: str) -> int:
        """What the member says it has when it is read."""
        return self.members[name].file_size

    def read(self, name: str, limit: int = limits.MAX_TEXT_BYTES) -> bytes:
        """A member's content. Raises `Unreadable` with a reason."""
        info = self.members[name]
        if info.file_size > limit:
            raise Unreadable(f"{info.file_size} bytes are past the {limit} that are read")
        if self.unpacked + info.file_size > limits.MAX_UNPACKED_BYTES:
            raise Unreadable(
                f"the file has more than the {limits.MAX_UNPACKED_BYTES} that are read"
            )
        self.unpacked += info.file_size
        return b"".join(self._pieces(info))

    def digest(self, name: str) -> str:
        """SHA-256 of a member; empty where the file has too much to read all of it."""
        info = self.members[name]
        if self.digested + info.file_size > limits.MAX_DIGESTED_BYTES:
            return ""
        self.digested += info.file_size
        digest = sha256()
        try:
            for piece in self._pieces(info):
                digest.update(piece)
        except Unreadable as error:
            self.odd.append((name, str(error)))
            return ""
        return digest.hexdigest()

    def head(self, name: str, count: int = 64) -> bytes:
        """The first bytes of a member; empty where it cannot be read."""
        try:
            with self.zip.open(self.members[name]) as file:
                return file.read(count)
        except _BROKEN:
            return b""

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if not is_stored and info.compress_type != zipfile.ZIP_DEFLATED:
            raise Unreadable("it is compressed in a way that is not read")
        if info.flag_bits & 1:
            raise Unreadable("it is encrypted")
        if not is_stored and info.file_size > max(4096, info.compress_size * limits.MAX_INFLATION):
            raise Unreadable(f"it claims to grow more than {limits.MAX_INFLATION} times")
        count = 0
        try:
            with self.zip.open(info) as file:
                while piece := file.read(2**20):
                    count += len(piece)
                    if count > info.file_size:
                        raise Unreadable("it is larger than it says")
                    yield piece
        except _BROKEN as error:
            raise Unreadable(f"it is damaged ({type(error).__name__})") from error


_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OverflowError,
    IndexError,
    struct.error,
)


class _Many(Exception):
    """The directory of a ZIP lists more than is read; never leaves this room."""


class _Opened:
    """The file as Python's reader sees it: it takes the whole directory at once, however large."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.is_open = False
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """What the file has there; a directory within limits, or `_Many`."""
        if self.is_open:
            return self._file.read(size)
        if size > limits.MAX_DIRECTORY_BYTES:
            raise _Many
        data = self._file.read(size)
        if data.count(b"PK\1\2") > limits.MAX_MEMBERS:
            raise _Many
        return data


def open_archive(source: Source) -> Archive:
    """The members of a ZIP. Raises `ForeignUnreadable` where it cannot be read as one."""
    source.file.seek(0)
    opened = _Opened(source.file)
    try:
        archive = zipfile.ZipFile(cast("BinaryIO", opened))
    except _Many as error:
        raise ForeignUnreadable(
            f"{source.shown} lists more members than the {limits.MAX_MEMBERS} that are read.",
            "Nobody needs so many; it was not made by PyTorch.",
            path=source.path,
        ) from error
    except _BROKEN as error:
        raise ForeignUnreadable(
            f"{source.shown} is a ZIP by its mark, but has no directory that can be read.",
            "It is cut or damaged: copy it again.",
            path=source.path,
        ) from error
    opened.is_open = True
    infos = archive.infolist()
    odd = []
    before = min((info.header_offset for info in infos), default=0)
    if before:
        odd.append(("before the ZIP", f"{before} bytes that belong to no member"))
    first = {info.filename.partition("/")[0] for info in infos}
    folder = first.pop() + "/" if len(first) == 1 and all("/" in i.filename for i in infos) else ""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if info.is_dir():
            continue
        name = info.filename.removeprefix(folder)
        if name in members:
            odd.append((name, "two members have this name; the last one is shown"))
        members[name] = info
    return Archive(source.path, members, archive, folder.rstrip("/"), odd)
