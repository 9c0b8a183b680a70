"""A path -> the bytes of the regular file there, opened once, never waiting, never following."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import ArtifactNotFound, ArtifactUnreadable, ContainerCorrupt
from .container import END_BYTES, check_end_record

_READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def path_text(file: Any) -> str:
    """A path as text. Raises `ArtifactNotFound` for what is no path at all."""
    if isinstance(file, (str, bytes, os.PathLike)):
        return os.fsdecode(file)
    hint = "Pass the path of a file that save wrote, a str or a Path."
    if hasattr(file, "read"):
        hint = "Pass its path; an open file is not read."
    elif hasattr(file, "save"):
        hint = "Save it with .save(path), and pass that path."
    kind = type(file).__name__
    raise ArtifactNotFound(f"{file!r:.60}, a {kind}, is not the path of a file.", hint)


def read_file(path: str) -> tuple[bytes, os.stat_result]:
    """The whole file and the status of its descriptor; a file that cannot be one is not read.

    Raises `ArtifactNotFound`, `ArtifactUnreadable`, and what `check_end_record` raises.
    """
    with open_regular(path) as (descriptor, status):
        check_end(descriptor, status.st_size, path)
        return read_exactly(descriptor, status.st_size, path), status


@contextmanager
def open_regular(path: str) -> Iterator[tuple[int, os.stat_result]]:
    """A descriptor of the regular file at ``path``, closed at the end."""
    try:
        descriptor = os.open(path, _READ)
    except (OSError, ValueError) as error:
        raise _not_opened(path, error) from error
    try:
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _not_regular(path)
            yield descriptor, status
        finally:
            os.close(descriptor)
    except (ArtifactNotFound, ArtifactUnreadable):
        raise  # OSErrors themselves
    except OSError as error:
        raise ArtifactUnreadable(
            f"{_named(path)} cannot be read: {error.strerror or error}.",
            "Check the disk, or copy the file again.",
            path=path,
        ) from error


def check_end(descriptor: int, size: int, path: str) -> tuple[int, int]:
    """What `check_end_record` says of the last bytes of an open file of ``size`` bytes."""
    os.lseek(descriptor, max(0, size - END_BYTES), os.SEEK_SET)
    found = check_end_record(os.read(descriptor, END_BYTES), size, path)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return found


def read_exactly(descriptor: int, size: int, path: str) -> bytes:
    """From here to the end of the file, which must be ``size`` bytes away."""
    pieces = []
    missing = size + 1  # one more than there should be, to notice a file that grows
    while missing and (piece := os.read(descriptor, missing)):
        pieces.append(piece)
        missing -= len(piece)
    if missing != 1:
        raise ContainerCorrupt(
            f"{_named(path)} changed while it was being read.",
            "Something writes into it in place; save the artifact again.",
            path=path,
        )
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _not_opened(path: str, error: OSError | ValueError) -> ArtifactNotFound | ArtifactUnreadable:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ArtifactNotFound(
            f"There is no artifact at {_named(path)}.", "Check the path.", path=path, absent=True
        )
    if isinstance(error, ValueError):
        return ArtifactNotFound(
            f"{path!r} cannot be a path ({error}).", "Check it.", path=path, absent=True
        )
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return ArtifactNotFound(
            f"{_named(path)} is a symbolic link.", "Give the path of the file itself.", path=path
        )
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return _not_regular(path)
    return ArtifactUnreadable(
        f"{_named(path)} cannot be opened: {error.strerror or error}.",
        "Check who owns it and its mode.",
        path=path,
    )


def _not_regular(path: str) -> ArtifactNotFound:
    return ArtifactNotFound(
        f"{_named(path)} is not a regular file.", "Name a file that save wrote.", path=path
    )


def _named(path: str) -> str:
    """The path as a message has it: on one line, nothing in it active."""
    from .inert import inert  # not on the way of a load that succeeds

    return inert(path, limit=1_000)
