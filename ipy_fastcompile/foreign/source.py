"""A path or bytes -> something to read from: sizes first, bytes only as many as asked for."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from ..artifact.files import open_regular
from ..artifact.inert import inert
from ..errors import ArtifactUnreadable, ForeignUnreadable
from . import limits

_MOST_PATH = 300


@dataclass(frozen=True)
class Source:
    """A file that is open, or bytes; ``path`` names it in messages."""

    path: str
    size: int
    file: BinaryIO

    @property
    def shown(self) -> str:
        """The path as a message has it: on one line, nothing in it active."""
        return inert(self.path, limit=_MOST_PATH)

    def head(self, count: int) -> bytes:
        """The first ``count`` bytes, fewer where there are fewer."""
        return self._take(0, count)

    def tail(self, count: int) -> bytes:
        """The last ``count`` bytes."""
        return self._take(max(0, self.size - count), count)

    def everything(self) -> bytes:
        """All of it. Raises `ForeignUnreadable` past `limits.MAX_READ_BYTES`."""
        if self.size > limits.MAX_READ_BYTES:
            raise ForeignUnreadable(
                f"{self.shown} has {self.size} bytes; of its kind at most {limits.MAX_READ_BYTES} "
                "are read.",
                "Split it, or inspect what it was made from.",
                path=self.path,
            )
        data = self._take(0, self.size + 1)
        if len(data) != self.size:
            raise ForeignUnreadable(
                f"{self.shown} changed while it was being read.",
                "Wait for its writer, then try again.",
                path=self.path,
            )
        return data

    def digest(self) -> str:
        """SHA-256 of all of it; empty where it is too large to be read for that."""
        if self.size > limits.MAX_DIGESTED_BYTES:
            return ""
        digest, at = sha256(), 0
        while at < self.size and (piece := self._take(at, min(self.size - at, 2**20))):
            digest.update(piece)
            at += len(piece)
        return digest.hexdigest()

    def _take(self, at: int, count: int) -> bytes:
        try:
            self.file.seek(at)
            return self.file.read(count)
        except OSError as error:
            raise ArtifactUnreadable(
                f"{self.shown} cannot be read: {error.strerror or error}.",
                "Check the disk, or copy the file again.",
                path=self.path,
            ) from error


def from_bytes(data: bytes, path: str = "<bytes>") -> Source:
    """Bytes that somebody has in memory."""
    return Source(path, len(data), io.BytesIO(data))


def open_source(path: str) -> Source:
    """The regular file at ``path``; the caller closes ``file``.

    Raises `ArtifactNotFound` and `ArtifactUnreadable`, as for our own artifacts.
    """
    with open_regular(path) as (descriptor, status):
        return Source(path, status.st_size, os.fdopen(os.dup(descriptor), "rb"))


def is_folder(path: str) -> bool:
    """Whether a folder is there; for what cannot be asked, opening it says why."""
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def files_of(folder: str) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """(relative name -> path of every regular file below, name and reason of the others), in order.

    Symbolic links are not followed. Raises `ArtifactUnreadable` where the folder cannot be listed.
    """
    found: dict[str, Path] = {}
    passed: list[tuple[str, str]] = []
    root = Path(folder)
    waiting = [(root, 0)]
    while waiting:
        here, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            if here == root:
                raise ArtifactUnreadable(
                    f"The folder {inert(folder, limit=_MOST_PATH)} cannot be listed: "
                    f"{error.strerror or error}.",
                    "Check who owns it and its mode.",
                    path=folder,
                ) from error
            passed.append((_relative(here, root), str(error.strerror or error)))
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                passed.append((_relative(path, root), "a symbolic link is not followed"))
            elif entry.is_dir(follow_symlinks=False):
                if depth >= limits.MAX_FOLDER_DEPTH:
                    passed.append((_relative(path, root), "folders this deep are not read"))
                else:
                    waiting.append((path, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                if len(found) >= limits.MAX_FILES:
                    passed.append((folder, f"only the first {limits.MAX_FILES} files are read"))
                    return dict(sorted(found.items())), passed
                found[_relative(path, root)] = path
            else:
                passed.append((_relative(path, root), "it is no regular file, and is not opened"))
    return dict(sorted(found.items())), passed


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
