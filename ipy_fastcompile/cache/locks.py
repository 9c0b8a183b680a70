"""A lock file -> at most one process that compiles a key, or prunes.

Nothing depends on these locks for correctness: without one, two processes do the same work.
They are `flock`s, so the system releases them with their process. `filelock`, which torch brings in
any version, does not fit: 3.13 makes the file that a symbolic link points to, waits for the whole
time where a file system has no locks, and 4.3 takes 0.1 s to import.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import warn_user

_POLL_SECONDS = 0.05
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextmanager
def hold(path: Path, seconds: float, *, warn: bool = True) -> Iterator[bool]:
    """Hold the lock ``path``, waiting at most ``seconds``; yields whether it is held.

    False where the lock file cannot be made (a read-only directory has nothing to guard), and,
    with a `FastCompileWarning`, when another process keeps it. True where there are no locks.
    """
    try:
        descriptor = os.open(path, _OPEN, 0o600)
    except (OSError, ValueError):
        descriptor = -1
    try:
        held = descriptor >= 0 and _acquire(descriptor, seconds)
        if descriptor >= 0 and not held and warn:
            warn_user(
                f"Another process has kept the lock {path} for {seconds:g} s; going on without "
                "it, which at worst compiles the same thing twice."
            )
        yield held
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _acquire(descriptor: int, seconds: float) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        except OSError:
            return True  # a file system without locks
        else:
            return True
