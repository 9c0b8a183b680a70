"""Small artifacts and child processes -> what the fault and attack tests are made of."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

import ipy_fastcompile
from ipy_fastcompile.artifact import SavedArtifact, blob_name, limits, open_artifact, save_artifact
from ipy_fastcompile.artifact.atomic import is_temporary
from ipy_fastcompile.artifact.container import pack_members
from ipy_fastcompile.artifact.manifest import write_manifest

ROOT = Path(ipy_fastcompile.__file__).parent.parent
NOBODY = 54321  # a user that no machine has


def tiny_members(text: str = "old") -> dict[str, bytes]:
    blob = f"binary {text}".encode() * 3
    return {"execution.py": f"return {text!r}\n".encode(), blob_name(blob): blob}


def save_tiny(path: Path, text: str = "old", **manifest: Any) -> SavedArtifact:
    """A whole artifact of about 1 kB whose every part says ``text``."""
    return save_artifact(path, {"model": text, **manifest}, tiny_members(text))


def read_text(path: Path, trust: str | None = None) -> str:
    """What `save_tiny` wrote, every part of it checked to say the same."""
    artifact = open_artifact(path, trust=trust)
    text = artifact.manifest["model"]
    contents = {name: artifact.read(name) for name in artifact.names}
    assert contents == tiny_members(text)
    return str(text)


def unpack(path: Path) -> dict[str, bytes]:
    """Every member as it is, `manifest.json` and `manifest.sig` included, nothing verified."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def repack(path: Path, members: Mapping[str, bytes]) -> None:
    """A well-formed container with these members, as an attacker can write one."""
    path.write_bytes(pack_members(members))
    path.chmod(0o600)


def rehash(members: Mapping[str, bytes], *, signature: bytes | None = None) -> dict[str, bytes]:
    """The members with a manifest that fits them, as an attacker without the key can write it."""
    contents = {n: d for n, d in members.items() if n not in (limits.MANIFEST, limits.SIGNATURE)}
    manifest = json.loads(members[limits.MANIFEST])
    own = {
        k: v for k, v in manifest.items() if k not in ("format", "package", "created", "members")
    }
    head = {limits.MANIFEST: write_manifest(own, contents)}
    if signature is not None:
        head[limits.SIGNATURE] = signature
    return {**head, **contents}


def temporaries(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if is_temporary(path.name)]


def tree(directory: Path) -> dict[str, bytes | None]:
    """Every path below with its content: to prove that nothing was written."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def cannot(why: str) -> NoReturn:
    """Skip and say why; in CI, where everything is installed, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must be able to run this: {why}")
    pytest.skip(why)


def need_tool(name: str, *probe: str) -> str:
    """The path of a tool that works here."""
    path = shutil.which(name)
    if path is None:
        cannot(f"{name} is not installed")
    if probe:
        tried = subprocess.run([path, *probe], capture_output=True, text=True, check=False)
        if tried.returncode:
            cannot(f"{name} {' '.join(probe)} does not work here: {tried.stderr.strip()}")
    return path


def give_away(
    path: Path, patch: pytest.MonkeyPatch, *, uid: int | None = None, gid: int | None = None
) -> None:
    """Make ``path`` belong to somebody else: really as root, else as far as its status says."""
    if os.geteuid() == 0:
        kept = -1 if uid is None else uid, -1 if gid is None else gid
        os.chown(path, *kept, follow_symlinks=False)
        return
    inode = os.lstat(path).st_ino

    def changed(status: os.stat_result) -> os.stat_result:
        if status.st_ino != inode:
            return status
        fields = list(status)
        fields[4:6] = [fields[4] if uid is None else uid, fields[5] if gid is None else gid]
        return os.stat_result(fields)

    fstat, lstat = os.fstat, Path.lstat
    patch.setattr(os, "fstat", lambda descriptor: changed(fstat(descriptor)))
    patch.setattr(Path, "lstat", lambda path: changed(lstat(path)))


def run_child(
    source: str,
    *arguments: object,
    prefix: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
    check: bool = True,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run Python ``source`` with the standard library and this package only, hence quickly."""
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['-c', *sys.argv[1:]]\n"
    done = subprocess.run(
        [*prefix, sys.executable, "-I", "-S", "-B", "-c", head + source, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **(environment or {})},
        **options,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fail instead of hanging."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"still not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def as_nobody(
    imports: str, source: str, *arguments: object, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`run_child` as a user without rights; root reads and writes whatever the mode says.

    ``imports`` run before the rights are given up: that user may not reach this checkout.
    """
    drop = f"if os.geteuid() == 0: os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    return run_child(
        f"import fcntl, grp, os, pwd\n{imports}\n{drop}{source}", *arguments, **options
    )


@contextmanager
def directory_of_nobody() -> Iterator[Path]:
    """A directory that belongs to the user of `as_nobody`, directly in the system's own."""
    with tempfile.TemporaryDirectory(prefix="fastcompile-test-") as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
        yield Path(name)
