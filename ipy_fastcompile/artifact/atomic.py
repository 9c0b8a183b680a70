"""Bytes -> a file that is either the old one or the new one, never a third thing.

Temporary file beside the target, fsync, rename over it, fsync of the directory (the recipe of
git's and SQLite's journals). ``system`` is the seam through which a test replays a power loss.
"""

from __future__ import annotations

import os
import warnings
from typing import Any, NoReturn

from ..errors import FastCompileWarning, SaveError

TEMPORARY_PREFIX = ".fastcompile-"
TEMPORARY_SUFFIX = ".tmp"

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what a killed save leaves behind."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def write_atomically(path: str, data: bytes, *, system: Any = os) -> None:
    """Put ``data`` at ``path`` in one step, readable by this user alone.

    Raises `SaveError` for every way the operating system can refuse; what was at ``path`` is then
    untouched. An interrupt removes the temporary file too. A directory that cannot be flushed
    only warns: the new file is in place and whole, though a power loss may still bring back the
    old one.
    """
    directory, name = os.path.split(path)
    directory = directory or os.curdir
    temporary = f"{directory}{os.sep}{TEMPORARY_PREFIX}{os.urandom(16).hex()}{TEMPORARY_SUFFIX}"
    if not name:
        _refuse(path, "the path names no file", "Add a file name.")
    try:
        # The name is random, so removing it cannot hit another file; and since an interrupt may
        # come before the descriptor is stored, it is removed by name whatever happened.
        try:
            _write_whole(temporary, data, system)
            system.replace(temporary, path)
        except BaseException:
            _remove(temporary, system)
            raise
    except OSError as error:
        _refuse(path, error.strerror or str(error), _hint(error), error)
    except ValueError as error:  # a NUL or a lone surrogate in the path
        _refuse(path, str(error), "Choose another path.", error)
    try:
        _flush_directory(directory, system)
    except OSError as error:
        warnings.warn(
            f"{path} is saved, but its directory could not be flushed to disk "
            f"({error.strerror or error}): a power loss now may bring back the old file.",
            FastCompileWarning,
            stacklevel=3,
        )


def _write_whole(temporary: str, data: bytes, system: Any) -> None:
    descriptor = system.open(temporary, _CREATE | _BINARY, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[system.write(descriptor, rest) :]
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def _flush_directory(directory: str, system: Any) -> None:
    if os.name != "posix":
        return  # directories cannot be opened there, and the rename is already durable
    descriptor = system.open(directory, os.O_RDONLY)
    try:
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def _remove(temporary: str, system: Any) -> None:
    try:
        system.unlink(temporary)
    except FileNotFoundError:
        pass  # the failure came before it was created, or after it was renamed
    except (OSError, ValueError) as error:
        warnings.warn(
            f"The temporary file {temporary!r} could not be removed ({error}).",
            FastCompileWarning,
            stacklevel=4,
        )


def _hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "Create the directory first."
    if isinstance(error, IsADirectoryError):
        return "The path is a directory; add a file name."
    return "What was at the path before is untouched; free the space or choose another path."


def _refuse(path: str, why: str, hint: str, cause: BaseException | None = None) -> NoReturn:
    raise SaveError(f"{path!r} could not be written: {why}.", hint, path=path) from cause
