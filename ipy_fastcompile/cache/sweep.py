"""A cache directory -> the same one within its cap: what goes, and in which order.

Temporaries of killed saves after an hour, quarantined files after a week, then entries, least
recently used first. Only names that this package writes are touched. Readers hold an entry's
bytes in memory, so nothing that is being loaded is lost.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ..artifact import limits
from ..artifact.atomic import is_temporary
from ..errors import CacheError
from ..frozen import frozen
from .locks import hold

ENTRY_SUFFIX = ".fastcompile"
QUARANTINE_SUFFIX = ".bad"
LOCK_SUFFIX = ".lock"
PRUNE_LOCK = ".prune.lock"

_ENTRY = re.compile(rf"[0-9a-f]{{64}}{re.escape(ENTRY_SUFFIX)}")
_QUARANTINED = re.compile(_ENTRY.pattern + re.escape(QUARANTINE_SUFFIX))
_LOCK = re.compile(rf"[0-9a-f]{{64}}{re.escape(LOCK_SUFFIX)}")
# What the cap is about; a temporary belongs to a save that is going on.
_COUNTED = ("entry", "quarantined")
# A file from the future is one whose clock was wrong; a minute is no reason to think so.
_SKEW_SECONDS = 60


@frozen
class Pruned:
    """What a prune did: names removed, bytes freed, bytes and entries kept.

    ``busy`` says that nothing was done: another process is pruning, or the directory is read-only.
    """

    removed: tuple[str, ...]
    freed: int
    kept_bytes: int
    kept_entries: int
    busy: bool = False


@frozen
class StoredFile:
    """A file of the cache: ``kind`` is "entry", "quarantined", "temporary" or "lock"."""

    path: Path
    kind: str
    size: int
    modified: float


def list_files(directory: Path) -> list[StoredFile]:
    """The cache's own files, leaving out everything that other programs put there.

    Raises `CacheError` when the directory cannot be listed; one that does not exist is empty.
    """
    try:
        return list(_scan(directory))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise CacheError(
            f"The cache directory {directory} cannot be listed: {error}.",
            "Choose another one, or make it readable.",
            path=str(directory),
        ) from error


def prune(directory: Path, cap_bytes: int) -> Pruned:
    """Remove what is too old or too much. Raises `CacheError` when something cannot be removed."""
    now = time.time()
    with hold(directory / PRUNE_LOCK, 0, warn=False) as held:
        files = list_files(directory)
        if not held and files:
            return _summary(set(), files, busy=True)
        doomed = {file for file in files if _is_over(file, now)}
        left = [file for file in files if file not in doomed and file.kind in _COUNTED]
        total = sum(file.size for file in left)
        for file in sorted(left, key=lambda file: _rank(file, now)):
            if total <= cap_bytes:
                break
            doomed.add(file)
            total -= file.size
        removed = {file for file in doomed if _remove(file)}
        return _summary(removed, [file for file in files if file not in doomed])


def clear(directory: Path) -> Pruned:
    """Remove every file of the cache, whatever its age."""
    with hold(directory / PRUNE_LOCK, 0, warn=False):
        files = list_files(directory)
        removed = {file for file in files if _remove(file)}
        return _summary(removed, [file for file in files if file not in removed])


def _scan(directory: Path) -> Iterator[StoredFile]:
    with os.scandir(directory) as entries:
        for entry in entries:
            kind = _kind(entry.name)
            if kind is None:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed meanwhile
            if stat.S_ISREG(status.st_mode):
                yield StoredFile(Path(entry.path), kind, status.st_size, status.st_mtime)


def _kind(name: str) -> str | None:
    if _ENTRY.fullmatch(name):
        return "entry"
    if _QUARANTINED.fullmatch(name):
        return "quarantined"
    if is_temporary(name):
        return "temporary"
    return "lock" if _LOCK.fullmatch(name) else None


def _is_over(file: StoredFile, now: float) -> bool:
    age = abs(now - file.modified)  # a time far in the future is as wrong as one in the past
    if file.kind == "quarantined":
        return age > limits.QUARANTINE_SECONDS
    return file.kind in ("temporary", "lock") and age > limits.TEMPORARY_SECONDS


def _rank(file: StoredFile, now: float) -> tuple[bool, float]:
    """Sorts what goes first to the front: quarantined files, wrong clocks, then the oldest."""
    is_first = file.kind == "quarantined" or file.modified > now + _SKEW_SECONDS
    return (not is_first, file.modified)


def _remove(file: StoredFile) -> bool:
    if file.kind == "lock":
        with hold(file.path, 0, warn=False) as held:
            return held and _unlink(file)
    return _unlink(file)


def _unlink(file: StoredFile) -> bool:
    try:
        file.path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CacheError(
            f"{file.path} cannot be removed: {error.strerror or error}.",
            "Make the cache directory writable.",
            path=str(file.path),
        ) from error
    return True


def _summary(removed: set[StoredFile], kept: list[StoredFile], *, busy: bool = False) -> Pruned:
    entries = [file for file in kept if file.kind == "entry"]
    return Pruned(
        removed=tuple(sorted(file.path.name for file in removed)),
        freed=sum(file.size for file in removed),
        kept_bytes=sum(file.size for file in entries),
        kept_entries=len(entries),
        busy=busy,
    )
