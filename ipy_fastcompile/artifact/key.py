"""The user's data directory -> the signing key, where there is one; `keyfile` makes it.

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
        refuse_key(path, "it is not a regular file")
    if os.name == "posix":
        if status.st_uid != os.geteuid():
            refuse_key(path, f"it belongs to user {status.st_uid}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            refuse_key(
                path, f"its mode is {stat.S_IMODE(status.st_mode):04o}, so others can use it"
            )
    if len(key) != limits.KEY_BYTES:
        refuse_key(
            path, f"it holds {'more than ' * (len(key) > 32)}{min(len(key), 32)} bytes, not 32"
        )
    problem = exposure(str(path), status)
    if problem:
        refuse_key(path, problem.what)
    return key


def _unreadable(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(
        f"The signing key {path} cannot be read: {error.strerror or error}.",
        "Check that it is a file of yours; or delete it, and the next save makes a new one.",
        path=str(path),
        refused=True,
    )


def refuse_key(path: Path, why: str) -> NoReturn:
    """Raise the KeyFileError of a key that may not be used."""
    raise KeyFileError(
        f"The signing key {path} is refused: {why}.",
        "Other users may have seen or placed it: delete it, and a new one is made at the next "
        "save; artifacts signed with it must then be saved again or pinned with trust=.",
        path=str(path),
        reason=why,
        refused=True,
    )
