"""Bytes -> a file that is either the old one or the new one, never a third thing.

Temporary file beside the target, fsync, rename over it, fsync of the directory (the recipe of
git's and SQLite's journals).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import FastCompileError, SaveError, warn_user

TEMPORARY_PREFIX = ".fastcompile-"
TEMPORARY_SUFFIX = ".tmp"

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what a killed save leaves behind."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def write_atomically(path: str, data: bytes | memoryview) -> None:
    """Put ``data`` at ``path`` in one step, readable by this user alone.

    Raises `SaveError` for every way the operating system can refuse; what was at ``path`` is then
    untouched. A directory that cannot be flushed only warns: the new file is in place and whole,
    though a power loss may still bring back the old one.
    """
    with temporary_beside(path) as temporary:
        descriptor = os.open(temporary, _CREATE | _BINARY, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    _flush_directory(path)


@contextmanager
def temporary_beside(path: str) -> Iterator[str]:
    """A path to write a new file to, which then takes the place of ``path``.

    Nothing stays behind when the body or the rename fails or is interrupted. Raises `SaveError`
    for every `OSError`, and for a path that the operating system cannot express.
    """
    directory, name = os.path.split(path)
    if not name or "\0" in path or not _is_encodable(path):
        raise SaveError(f"{path!r} cannot name a file.", "Choose another path.", path=path)
    try:
        unique = f"{TEMPORARY_PREFIX}{os.urandom(16).hex()}{TEMPORARY_SUFFIX}"
        temporary = f"{directory or os.curdir}{os.sep}{unique}"
        # An interrupt may come before the body knows that it created the file, so the temporary
        # is removed by name whatever happened; the name is random, it can be no other file.
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
    except FastCompileError:
        raise  # some are OSErrors themselves
    except OSError as error:
        why = error.strerror or str(error)
        raise SaveError(
            f"{path!r} could not be written: {why}.", _hint(error), path=path
        ) from error


def _flush_directory(path: str) -> None:
    if os.name != "posix":
        return  # directories cannot be opened there, and the rename is already durable
    try:
        descriptor = os.open(os.path.split(path)[0] or os.curdir, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        warn_user(
            f"{path} is saved, but its directory could not be flushed to disk "
            f"({error.strerror or error}): a power loss now may bring back the old file."
        )


def _remove(temporary: str) -> None:
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass  # the failure came before it was created, or after it was renamed
    except OSError as error:
        warn_user(f"The temporary file {temporary!r} could not be removed ({error}).")


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "Create the directory first."
    if isinstance(error, IsADirectoryError):
        return "The path is a directory; add a file name."
    return "What was at the path before is untouched; free the space or choose another path."
