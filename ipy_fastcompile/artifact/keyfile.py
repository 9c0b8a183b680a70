"""The user's data directory -> the signing key, made on first use.

32 random bytes in ``ipy_fastcompile/key`` under `platformdirs.user_data_dir` (written out here,
because loading an artifact may import nothing but the standard library), directory 0700, file
0600. What other users can read, write or replace is refused, and never repaired.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
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


def key_path() -> Path:
    """Where this user's key is, or would be. Raises `KeyFileError` when there is no home."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", "").strip())
        if not base.is_absolute():  # the XDG specification has relative ones ignored
            base = home / ".local" / "share"
    if not base.is_absolute():
        raise KeyFileError("This user has no home directory to keep a signing key in.", "Set HOME.")
    return base / "ipy_fastcompile" / "key"


def read_key() -> bytes | None:
    """The key of this user, or None where none was made yet.

    Raises `KeyFileError` when the file is not a regular file of this user with mode 0600 and 32
    bytes, or when others can replace it.
    """
    path = key_path()
    try:
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            key = os.read(descriptor, limits.KEY_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        _refuse(path, "it is not a regular file")
    if os.name == "posix":
        if status.st_uid != os.geteuid():
            _refuse(path, f"it belongs to user {status.st_uid}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            _refuse(path, f"its mode is {stat.S_IMODE(status.st_mode):04o}, so others can use it")
    if len(key) != limits.KEY_BYTES:
        _refuse(path, f"it holds {'more than ' * (len(key) > 32)}{min(len(key), 32)} bytes, not 32")
    problem = exposure(str(path), status)
    if problem:
        _refuse(path, problem.what)
    return key


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
        _refuse(path, "it disappeared while it was being made")
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


def _unreadable(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(
        f"The signing key {path} cannot be read: {error.strerror or error}.",
        "Check that it is a file of yours; or delete it, and the next save makes a new one.",
        path=str(path),
        refused=True,
    )


def _refuse(path: Path, why: str) -> NoReturn:
    raise KeyFileError(
        f"The signing key {path} is refused: {why}.",
        "Other users may have seen or placed it: delete it, and a new one is made at the next "
        "save; artifacts signed with it must then be saved again or pinned with trust=.",
        path=str(path),
        reason=why,
        refused=True,
    )
