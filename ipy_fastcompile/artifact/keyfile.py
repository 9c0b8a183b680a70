"""The user's data directory -> the signing key, made on first use.

32 random bytes in ``ipy_fastcompile/key`` under `platformdirs.user_data_dir` (written out here,
because loading an artifact may import nothing but the standard library), directory 0700, file
0600. What other users can read, write or replace is refused, and never repaired.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import NoReturn

from ..errors import KeyFileError
from . import limits
from .ownership import exposure

_READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def key_path() -> str:
    """Where this user's key is, or would be. Raises `KeyFileError` when there is no home."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME", "").strip()
        if not os.path.isabs(base):  # the XDG specification has relative ones ignored
            base = os.path.join(home, ".local", "share")
    if not os.path.isabs(base):
        raise KeyFileError("This user has no home directory to keep a signing key in.", "Set HOME.")
    return os.path.join(base, "ipy_fastcompile", "key")


def read_key() -> bytes | None:
    """This user's key, or None where none was made yet.

    Raises `KeyFileError` when the file is not a regular file of this user with mode 0600 and 32
    bytes, or when others can replace it.
    """
    path = key_path()
    try:
        descriptor = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _refuse(path, f"it cannot be opened ({error.strerror or error})")
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            _refuse(path, "it is not a regular file")
        if os.name == "posix":
            if status.st_uid != os.geteuid():
                _refuse(path, f"it belongs to user {status.st_uid}")
            if stat.S_IMODE(status.st_mode) & 0o077:
                _refuse(
                    path,
                    f"its mode is {stat.S_IMODE(status.st_mode):04o}, so others can use it",
                )
        key = os.read(descriptor, limits.KEY_BYTES + 1)
    except OSError as error:
        _refuse(path, f"it cannot be read ({error.strerror or error})")
    finally:
        os.close(descriptor)
    if len(key) != limits.KEY_BYTES:
        _refuse(path, f"it holds {'more than ' * (len(key) > 32)}{min(len(key), 32)} bytes, not 32")
    problem = exposure(path, status)
    if problem:
        _refuse(path, problem.what)
    return key


def make_key() -> bytes:
    """This user's key, created where there is none yet.

    Raises `KeyFileError` as `read_key`, and when the directory cannot be written.
    """
    key = read_key()
    if key is not None:
        return key
    path = key_path()
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, f".key-{os.urandom(8).hex()}")
    try:
        os.makedirs(os.path.dirname(directory), mode=0o700, exist_ok=True)
        if not os.path.isdir(directory):
            _make_private_directory(directory)
        try:
            descriptor = os.open(temporary, _CREATE, 0o600)
            try:
                os.write(descriptor, os.urandom(limits.KEY_BYTES))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            _claim(temporary, path)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)
    except OSError as error:
        raise KeyFileError(
            f"No signing key could be made at {path} ({error.strerror or error}).",
            "Make the directory writable, or set XDG_DATA_HOME to one that is.",
            path=path,
        ) from error
    key = read_key()
    if key is None:
        _refuse(path, "it disappeared while it was being made")
    return key


def _make_private_directory(directory: str) -> None:
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return  # another process was faster
    os.chmod(directory, 0o700)  # ours, just made: a umask may have taken bits that we need


def _claim(temporary: str, path: str) -> None:
    """Give the whole key its name, unless another process did so first."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links: the rename is as atomic, but of two processes that
        # make the first key at the same moment the later wins.
        if not os.path.lexists(path):
            os.rename(temporary, path)


def _refuse(path: str, why: str) -> NoReturn:
    raise KeyFileError(
        f"The signing key {path} is refused: {why}.",
        "Other users may have seen or placed it: delete it, and a new one is made at the next "
        "save; artifacts signed with it must then be saved again or pinned with trust=.",
        path=path,
        reason=why,
        refused=True,
    )
