"""A path or bytes -> something to read from: sizes first, bytes only as many as asked for."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from ..artifact.files import open_regular
from ..errors import ForeignUnreadable
from . import limits


@dataclass(frozen=True)
class Source:
    """A file that is open, or bytes; ``path`` names it in messages."""

    path: str
    size: int
    file: BinaryIO

    def head(self, count: int) -> bytes:
        """The first ``count`` bytes, fewer where there are fewer."""
        self.file.seek(0)
        return self.file.read(count)

    def tail(self, count: int) -> bytes:
        """The last ``count`` bytes."""
        self.file.seek(max(0, self.size - count))
        return self.file.read(count)

    def everything(self) -> bytes:
        """All of it. Raises `ForeignUnreadable` past `limits.MAX_READ_BYTES`."""
        if self.size > limits.MAX_READ_BYTES:
            raise ForeignUnreadable(
                f"{self.path} has {self.size} bytes; of its kind at most {limits.MAX_READ_BYTES} "
                "are read.",
                "Split it, or inspect what it was made from.",
                path=self.path,
            )
        self.file.seek(0)
        data = self.file.read(self.size + 1)
        if len(data) != self.size:
            raise ForeignUnreadable(
                f"{self.path} changed while it was being read.",
                "Wait for its writer, then try again.",
                path=self.path,
            )
        return data

    def digest(self) -> str:
        """SHA-256 of all of it; empty where it is too large to be read for that."""
        if self.size > limits.MAX_DIGESTED_BYTES:
            return ""
        self.file.seek(0)
        digest, left = sha256(), self.size
        while left > 0 and (piece := self.file.read(min(left, 2**20))):
            digest.update(piece)
            left -= len(piece)
        return digest.hexdigest()


def from_bytes(data: bytes, path: str = "<bytes>") -> Source:
    """Bytes that somebody has in memory."""
    return Source(path, len(data), io.BytesIO(data))


def open_source(path: str) -> Source:
    """The regular file at ``path``; the caller closes ``file``.

    Raises `ArtifactNotFound` and `ArtifactUnreadable`, as for our own artifacts.
    """
    with open_regular(path) as (descriptor, status):
        return Source(path, status.st_size, os.fdopen(os.dup(descriptor), "rb"))


def files_of(folder: str) -> tuple[dict[str, Path], list[str]]:
    """(relative name -> path of every regular file below, what was passed over), in order.

    Symbolic links are not followed.
    """
    found: dict[str, Path] = {}
    passed: list[str] = []
    root = Path(folder)
    waiting = [(root, 0)]
    while waiting:
        here, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            passed.append(f"{_relative(here, root)}: {error.strerror or error}")
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                passed.append(f"{_relative(path, root)}: a symbolic link is not followed")
            elif entry.is_dir(follow_symlinks=False):
                if depth >= limits.MAX_FOLDER_DEPTH:
                    passed.append(f"{_relative(path, root)}: folders this deep are not read")
                else:
                    waiting.append((path, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                if len(found) >= limits.MAX_FILES:
                    passed.append(f"only the first {limits.MAX_FILES} files are read")
                    return dict(sorted(found.items())), passed
                found[_relative(path, root)] = path
    return dict(sorted(found.items())), passed


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
