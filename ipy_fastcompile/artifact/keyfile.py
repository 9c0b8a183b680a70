"""The user's data directory -> the signing key, made on first use."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import KeyFileError
from . import limits
from .key import key_path, read_key, refuse_key

__all__ = ["key_path", "make_key"]

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def make_key() -> bytes:
    """The key of this user, created where there is none yet.

    Raises `KeyFileError` as `read_key`, and when the directory cannot be written.
    """
    key = read_key()
    if key is not None:
        return key
    path = key_path()
    temporary = path.with_name(f".key-{os.urandom(8).hex()}")
    try:
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private_directory(path.parent)
        try:
            descriptor = os.open(temporary, _CREATE, 0o600)
            try:
                os.write(descriptor, os.urandom(limits.KEY_BYTES))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            _claim(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise KeyFileError(
            f"No signing key could be made at {path} ({error.strerror or error}).",
            "Make the directory writable, or set XDG_DATA_HOME to one that is.",
            path=str(path),
        ) from error
    key = read_key()
    if key is None:
        refuse_key(path, "it disappeared while it was being made")
    return key


def _make_private_directory(directory: Path) -> None:
    try:
        directory.mkdir(0o700)
    except FileExistsError:
        return  # there already, and whose it is was or will be checked by `read_key`
    directory.chmod(0o700)  # just made: a umask may have taken bits that its owner needs


def _claim(temporary: Path, path: Path) -> None:
    """Give the whole key its name, unless another process did so first."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links: the rename is as atomic, but of two processes that
        # make the first key at the same moment the later wins.
        if not os.path.lexists(path):
            temporary.rename(path)
