"""What SIGKILL cannot show: a power loss, after which unflushed writes are lost or out of order.

A model of a file system in the manner of SQLite's: data reach the disk at fsync, names at the
fsync of their directory, or earlier, in any order. Every state that the disk may be in after
every operation is checked.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from ipy_fastcompile.artifact import atomic
from ipy_fastcompile.artifact.atomic import write_atomically
from ipy_fastcompile.errors import SaveError

OLD, NEW = b"old content", b"new content, longer"
TARGET = "/disk/a.fastcompile"


class Disk:
    """Stands in for `os`; remembers after every operation what a power loss could leave.

    What touches no disk is that of `os` itself.
    """

    def __init__(self) -> None:
        self.flushes = True
        self.data: dict[int, bytes] = {0: OLD}  # inode -> content as programs see it
        self.safe: dict[int, bytes] = {0: OLD}  # inode -> content that was flushed
        self.names: dict[str, int] = {TARGET: 0}
        self.pending: list[tuple[str, ...]] = []  # changes of names since the last flush
        self.safe_names: dict[str, int] = {TARGET: 0}
        self.open_files: dict[int, int | str] = {}
        self.crashes: list[bytes | None] = []

    def __getattr__(self, name: str) -> object:
        assert name in {"O_RDONLY", "curdir", "fsencode", "name", "path", "sep", "urandom"}, name
        return getattr(os, name)

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        descriptor = len(self.open_files) + 3
        if flags & os.O_CREAT:
            assert flags & os.O_EXCL
            assert mode == 0o600
            inode = len(self.data)
            self.data[inode] = self.safe[inode] = b""
            self.names[path] = inode
            self.pending.append(("link", path, str(inode)))
            self.open_files[descriptor] = inode
        else:
            self.open_files[descriptor] = path
        return self._done(descriptor)

    def write(self, descriptor: int, data: memoryview) -> int:
        inode = self.open_files[descriptor]
        assert isinstance(inode, int)
        written = min(7, len(data))  # short, as a file system may
        self.data[inode] += bytes(data[:written])
        return self._done(written)

    def fsync(self, descriptor: int) -> None:
        if self.flushes:
            inode = self.open_files[descriptor]
            if isinstance(inode, int):
                self.safe[inode] = self.data[inode]
            else:
                self.safe_names, self.pending = dict(self.names), []
        self._done(None)

    def close(self, descriptor: int) -> None:
        self._done(None)

    def replace(self, source: str, target: str) -> None:
        self.names[target] = self.names.pop(source)
        self.pending.append(("rename", source, target))
        self._done(None)

    def unlink(self, path: str) -> None:
        if path not in self.names:
            raise FileNotFoundError(2, "No such file or directory")
        del self.names[path]
        self.pending.append(("unlink", path))
        self._done(None)

    def _done(self, result: object) -> object:
        self.crashes += self._left_behind()
        return result

    def _left_behind(self) -> Iterator[bytes | None]:
        """What the target may hold if the power fails now."""
        for kept in itertools.product((False, True), repeat=len(self.pending)):
            names = dict(self.safe_names)
            for change, is_kept in zip(self.pending, kept, strict=True):
                if is_kept and change[0] == "link":
                    names[change[1]] = int(change[2])
                elif is_kept and change[0] == "rename":
                    names[change[2]] = names.pop(change[1], self.names.get(change[2], 0))
                elif is_kept:
                    names.pop(change[1], None)
            inode = names[TARGET]
            yield self.safe[inode]
            yield self.data[inode]
            yield self.data[inode][: len(self.safe[inode]) + 1]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(atomic, "os", disk)
    return disk


def test_after_a_power_loss_the_target_is_the_old_or_the_new_one(disk: Disk) -> None:
    write_atomically(TARGET, NEW)
    assert set(disk.crashes) == {OLD, NEW}
    assert list(disk._left_behind()) == [NEW] * 3  # once it returns, the new one for good
    assert set(disk.names) == {TARGET}


def test_without_flushes_the_model_sees_a_third_thing(disk: Disk) -> None:
    disk.flushes = False
    write_atomically(TARGET, NEW)
    assert b"" in disk.crashes


@pytest.mark.parametrize("operation", ["open", "write", "fsync", "close", "replace"])
def test_a_refusal_leaves_the_old_one_in_every_state(
    operation: str, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, operation, refuse)
    with pytest.raises(SaveError, match="Input/output error"):
        write_atomically(TARGET, NEW)
    assert set(disk.crashes) <= {OLD}
    assert set(disk.names) == {TARGET}
