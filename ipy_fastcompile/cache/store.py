"""Keys -> artifacts in a cache directory; a hit is never wrong, and a miss says why.

An entry is an artifact file named by its key's digest. Looking up never raises for what may be
wrong with an entry: that is a miss with one warning. Putting never raises for what may be wrong
with the directory: the result is then not cached, with one warning.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ..artifact import limits
from ..artifact.atomic import temporary_beside, write_atomically
from ..artifact.inert import inert
from ..artifact.inspect import ArtifactInfo, inspect
from ..artifact.open import OpenArtifact, open_artifact
from ..artifact.units import format_bytes
from ..errors import (
    ArtifactCorrupt,
    ArtifactError,
    ArtifactNotFound,
    ArtifactStale,
    CacheError,
    CacheMiss,
    FastCompileError,
    KeyFileError,
    warn_user,
)
from ..frozen import frozen
from ..views import view_of
from . import sweep
from .changes import Change, diff_components
from .entries import Entry, Explanation, explain_key, list_entries, make_entry, model_of, read_key
from .key.components import Key, recorded_digests
from .locks import hold

__all__ = ["Change", "Entry", "Explanation", "Hit", "Key", "Miss", "Store"]


@frozen
class Hit:
    """An entry that has the key, is whole, and was made by this user."""

    key: Key
    path: Path
    artifact: OpenArtifact

    def __repr__(self) -> str:
        return f"<cache hit {self.key.digest[:12]}: {str(self.path)!r}>"


@frozen
class Miss:
    """No usable entry has the key.

    ``reason`` is "absent", or the class name of what is wrong with the entry, and ``problem`` then
    its message. ``explanation`` is there for an absent entry.
    """

    key: Key
    reason: str
    problem: str = ""
    explanation: Explanation | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """Why, in one to three lines."""
        if self.explanation is not None:
            return self.explanation.facts
        return (inert(f"{self.reason}: {self.problem}"),)

    @property
    def details(self) -> tuple[str, ...]:
        """All that differs from the nearest entry, where that is more than `lines` say."""
        return self.explanation.details if self.explanation is not None else ()

    def __repr__(self) -> str:
        return f"<cache miss {self.key.digest[:12]}: {'; '.join(self.lines)}>"

    def __str__(self) -> str:
        return "\n".join([f"cache miss: no entry {self.key.digest[:12]}", *self.lines])


class Store:
    """A cache directory.

    Parameters
    ----------
    directory:
        Where the entries are; the user's cache directory by default. Created on the first put.
    cap_bytes:
        What all entries together may take, in bytes; the least recently used go first.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        cap_bytes: int = limits.CACHE_CAP_BYTES,
    ) -> None:
        if directory is None:
            from platformdirs import user_cache_dir

            directory = user_cache_dir("ipy_fastcompile", appauthor=False)
        self.directory = Path(directory)
        self.cap_bytes = cap_bytes

    def __repr__(self) -> str:
        return f"<Store {str(self.directory)!r}, at most {format_bytes(self.cap_bytes)}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("Store._repr_mimebundle_")(self)
        return bundle

    def path_of(self, digest: str) -> Path:
        """Where the entry of a key with this digest is, or would be."""
        return self.directory / f"{digest}{sweep.ENTRY_SUFFIX}"

    def lookup(self, key: Key, *, strict: bool = False) -> Hit | Miss:
        """The entry that has ``key``, every member of it verified.

        With ``strict`` a miss raises: `CacheMiss` when there is no entry, or what is wrong with it
        (an `ArtifactError` or `KeyFileError`).
        """
        path = self.path_of(key.digest)
        try:
            artifact = open_artifact(path)
            recorded, _ = recorded_digests(artifact.manifest, str(path))
            if recorded != key.digest:
                raise ArtifactStale(
                    f"{path} was saved for the key {recorded[:12]}, not {key.digest[:12]}.",
                    "Somebody renamed or copied it; it will be replaced.",
                    path=str(path),
                    expected=key.digest,
                    found=recorded,
                )
            artifact.verify()
        except (ArtifactError, KeyFileError) as error:
            if isinstance(error, ArtifactNotFound) and error.facts.get("absent"):
                return self._absent(key, strict)
            if strict:
                raise
            return self.reject(key, error)
        _touch(path)
        return Hit(key, path, artifact)

    def reject(self, key: Key, error: ArtifactError | KeyFileError) -> Miss:
        """Treat the entry of ``key`` as a miss because of ``error``, with one warning.

        A corrupt one is renamed to ``.bad``, so that it is neither found again nor lost. For
        whoever loads a `Hit` and finds it wanting later.
        """
        path, what = self.path_of(key.digest), str(error)
        fate = "it will be replaced"
        if isinstance(error, ArtifactCorrupt):
            bad = path.with_name(path.name + sweep.QUARANTINE_SUFFIX)
            try:
                path.replace(bad)
                fate = f"it was renamed to {bad.name}"
            except OSError as failure:
                fate = f"it could not be renamed ({failure.strerror or failure})"
        warn_user(f"A cache entry is not used ({type(error).__name__}): {what} Here {fate}.")
        return Miss(key, type(error).__name__, what)

    def put(
        self,
        key: Key,
        source: str | os.PathLike[str] | Callable[[str], object],
        *,
        strict: bool = False,
    ) -> Entry | None:
        """Make an artifact the entry of ``key``, then prune.

        Parameters
        ----------
        key:
            Must be the one that the artifact records (`Key.manifest_entry`).
        source:
            An artifact file, or a function that saves one to the path that it is given.
        strict:
            Raise what went wrong instead of warning.

        Returns
        -------
        The entry, or None with a `FastCompileWarning` when it could not be kept.
        """
        try:
            entry = self._put(key, source)
        except FastCompileError as error:
            if strict:
                raise
            warn_user(f"The result is not cached ({type(error).__name__}): {error}")
            return None
        try:
            self.prune()
        except CacheError as error:
            warn_user(f"The cache is not pruned: {error}")
        return entry

    def lock(
        self, key: Key, seconds: float = limits.LOCK_SECONDS, *, warn: bool = True
    ) -> AbstractContextManager[bool]:
        """Hold the key while compiling it, so that no other process does; yields whether it is.

        Not holding it is no obstacle: two compiles of one key give one of two whole entries.
        """
        self._try_make_directory()
        path = self.directory / f"{key.digest}{sweep.LOCK_SUFFIX}"
        return hold(path, seconds, warn=warn)

    def entries(self) -> tuple[Entry, ...]:
        """Every entry, the most recently used first. Raises `CacheError`."""
        return list_entries(self.directory)

    def find(self, prefix: str) -> Entry:
        """The one entry whose key's digest starts with ``prefix``. Raises `CacheError`."""
        found = [entry for entry in self.entries() if entry.digest.startswith(prefix.lower())]
        if len(found) == 1:
            return found[0]
        what = f"{len(found)} entries start" if found else "No entry starts"
        raise CacheError(
            f"{what} with {inert(prefix, limit=80)!r} in {self.directory}.",
            "Give more digits." if found else "`cache ls` lists the entries.",
            prefix=prefix,
        )

    def show(self, prefix: str) -> ArtifactInfo:
        """Everything readable in one entry, as `inspect` gives it."""
        return inspect(self.find(prefix).path)

    def why(self, key: Key | str) -> Explanation:
        """What keeps ``key``, or the key of the entry it is a prefix of, from its nearest entry."""
        if isinstance(key, str):
            key = self.key_of(key)
        return explain_key(key, self.entries())

    def key_of(self, prefix: str) -> Key:
        """The key that an entry records, with the texts of its components."""
        return read_key(self.find(prefix))

    def diff(self, a: str, b: str) -> tuple[Change, ...]:
        """The key components in which two entries differ, old -> new."""
        return diff_components(self.key_of(a).components, self.key_of(b).components)

    def prune(self, cap_bytes: int | None = None) -> sweep.Pruned:
        """Remove leftovers, then the least recently used entries above the cap."""
        return sweep.prune(self.directory, self.cap_bytes if cap_bytes is None else cap_bytes)

    def clear(self) -> sweep.Pruned:
        """Remove every entry and leftover; files of other programs stay."""
        return sweep.clear(self.directory)

    def _put(self, key: Key, source: str | os.PathLike[str] | Callable[[str], object]) -> Entry:
        self._make_directory()
        target = self.path_of(key.digest)
        if not callable(source):
            artifact = self._check(Path(source), key)
            write_atomically(str(target), artifact.contents)
        else:
            with temporary_beside(str(target)) as temporary:
                source(temporary)
                artifact = self._check(Path(temporary), key)
        file = sweep.StoredFile(target, "entry", artifact.size, time.time())
        return make_entry(file, artifact, key.digests)

    def _check(self, path: Path, key: Key) -> OpenArtifact:
        """The artifact at ``path``, whole, this user's, of this key, and not too large."""
        artifact = open_artifact(path)
        artifact.verify()
        recorded, _ = recorded_digests(artifact.manifest, str(path))
        if recorded != key.digest:
            raise ArtifactStale(
                f"{path} records the key {recorded[:12]}, not {key.digest[:12]}.",
                "Put it under the key that it was saved for.",
                path=str(path),
                expected=key.digest,
                found=recorded,
            )
        if artifact.size > self.cap_bytes:
            raise CacheError(
                f"{path} has {artifact.size} bytes, more than the whole cache may take "
                f"({self.cap_bytes}).",
                "Raise cap_bytes.",
                path=str(path),
            )
        return artifact

    def _absent(self, key: Key, strict: bool) -> Miss:
        try:
            explanation = explain_key(key, self.entries())
        except CacheError as error:
            explanation = Explanation(
                key.digest, None, len(key.components), (), error.what, model_of(key)
            )
        miss = Miss(key, "absent", explanation=explanation)
        if strict:
            raise CacheMiss(
                str(miss),
                "Compile it once to fill the cache.",
                key=key.digest,
                details=miss.details,
            )
        return miss

    def _make_directory(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise CacheError(
                f"The cache directory {self.directory} cannot be made: {error}.",
                "Choose another one.",
                path=str(self.directory),
            ) from error

    def _try_make_directory(self) -> None:
        try:
            self._make_directory()
        except CacheError:
            return  # the put that follows says so


def _touch(path: Path) -> None:
    """Note that the entry was used, for the next prune."""
    try:
        os.utime(path)
    except OSError:
        return  # a cache that is read-only here is not pruned from here either
