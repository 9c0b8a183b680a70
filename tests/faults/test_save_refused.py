"""Faults 3, 4, 5 and 21: no space, no room for such a file, parts that fail, no home for a key."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.errors import ArtifactUntrusted, FastCompileWarning, SaveError
from tests.faults.parts import (
    as_nobody,
    directory_of_nobody,
    need_tool,
    read_text,
    run_child,
    save_tiny,
    temporaries,
    tiny_members,
)

SAVE_BIG = """
import os
from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.errors import SaveError
target = sys.argv[1]
save_artifact(target, {"model": "old"}, {})
PREPARE
try:
    save_artifact(target, {"model": "new"}, {"big.txt": b"x" * 4_000_000})
except SaveError as error:
    print(error)
print(open_artifact(target).manifest["model"], sorted(os.listdir(os.path.dirname(target))))
"""


@pytest.mark.privileged
def test_disk_full(tmp_path: Path) -> None:
    unshare = need_tool("unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=1m,mode=0700 tmpfs {disk} && exec "$@"'
    done = run_child(
        SAVE_BIG.replace("PREPARE", ""),
        disk / "a.fastcompile",
        prefix=(unshare, "-rm", "sh", "-c", mount, "sh"),
    )
    message, left = done.stdout.splitlines()
    assert "No space left on device" in message
    assert str(disk / "a.fastcompile") in message
    assert left == "old ['a.fastcompile']"


def test_file_size_limit(tmp_path: Path) -> None:
    directory = tmp_path / "limited"
    directory.mkdir()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))"
    done = run_child(SAVE_BIG.replace("PREPARE", limit), directory / "a.fastcompile")
    message, left = done.stdout.splitlines()
    assert "File too large" in message
    assert left == "old ['a.fastcompile']"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


class Unserializable:
    def __reduce__(self) -> tuple[object, ...]:
        raise RuntimeError("no reduce")


@pytest.mark.parametrize(
    "manifest",
    [
        {"x": Unserializable()},
        {"x": {1: 2}},
        {"x": float("nan")},
        {"x": {"a", "b"}},
        {1: "x"},
        {"members": {}},
        {"format": "mine"},
    ],
)
def test_parts_that_are_no_json_leave_the_target_alone(
    tmp_path: Path, manifest: dict[str, object]
) -> None:
    target = tmp_path / "a.fastcompile"
    save_tiny(target, "old")
    before = target.stat()
    with pytest.raises(SaveError, match="manifest"):
        save_artifact(target, manifest, {})
    assert target.stat() == before
    assert temporaries(tmp_path) == []


def test_cyclic_and_deep_data_is_refused(tmp_path: Path) -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    deep: list[object] = []
    for _ in range(70):
        deep = [deep]
    for data in (cycle, deep):
        with pytest.raises(SaveError):
            save_artifact(tmp_path / "a.fastcompile", {"x": data}, {})
    assert names(tmp_path) == ["data_home"]


@pytest.mark.parametrize(
    "members",
    [
        {"a.txt": "text"},
        {"a.txt": memoryview(b"x")},
        {"../a": b""},
        {"/a": b""},
        {"a//b": b""},
        {".a": b""},
        {"a\0": b""},
        {"ä": b""},
        {"": b""},
        {"a" * 201: b""},
        {"manifest.json": b"{}"},
        {"manifest.sig": b""},
        {"blobs/" + "0" * 64: b"other"},
    ],
)
def test_members_that_do_not_fit_are_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(SaveError):
        save_artifact(tmp_path / "a.fastcompile", {}, members)
    assert names(tmp_path) == ["data_home"]


def test_a_serializer_that_raises_leaves_the_cache_alone(tmp_path: Path) -> None:
    key = Key({"code": "x"})
    store = Store(tmp_path / "cache")
    store.put(key, lambda path: save_artifact(path, {"key": key.manifest_entry}, key.members))
    before = store.path_of(key.digest).read_bytes()

    def fail(path: str) -> None:
        Path(path).write_bytes(b"half")
        raise RuntimeError("no reduce")

    with pytest.raises(RuntimeError, match="no reduce"):
        store.put(key, fail)
    assert store.path_of(key.digest).read_bytes() == before
    assert temporaries(store.directory) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/a.fastcompile", "Create the directory"),
        ("", "Is a directory|cannot name a file|add a file name"),
        ("data_home", "add a file name"),
        ("a\0b", "cannot name a file"),
        ("a\ud800b", "cannot name a file"),
        ("x" * 300, "File name too long"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(SaveError, match=words):
        save_artifact(f"{tmp_path}/{name}", {}, {})
    assert temporaries(tmp_path) == []


def test_the_mode_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0, 0o077, 0o277):
        before = os.umask(umask)
        try:
            save_tiny(tmp_path / "a.fastcompile")
        finally:
            os.umask(before)
        assert read_text(tmp_path / "a.fastcompile") == "old"
        assert stat.S_IMODE((tmp_path / "a.fastcompile").stat().st_mode) & 0o177 == 0


IMPORTS = """
import warnings
from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.errors import ArtifactUntrusted
"""
HOMELESS = """
os.environ.pop("XDG_DATA_HOME", None)
os.environ["HOME"] = "/proc/nonexistent"  # no one can make it
os.chdir(sys.argv[1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    saved = save_artifact("a.fastcompile", {"model": "old"}, {})
print(saved.signed, [(w.category.__name__, "unsigned" in str(w.message)) for w in caught])
try:
    open_artifact("a.fastcompile")
except ArtifactUntrusted as error:
    print(saved.digest in str(error), "unsigned" in str(error))
print(open_artifact("a.fastcompile", trust=saved.digest).manifest["model"])
"""


def test_without_a_home_it_is_saved_unsigned_and_says_so() -> None:
    with directory_of_nobody() as directory:
        done = as_nobody(IMPORTS, HOMELESS, directory)
    assert done.stdout.splitlines() == [
        "False [('FastCompileWarning', True)]",
        "True True",
        "old",
    ]


def test_unsigned_results_are_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.warns(FastCompileWarning, match="unsigned"):
        saved = save_artifact(tmp_path / "a.fastcompile", {}, tiny_members())
    assert not saved.signed
    with pytest.raises(ArtifactUntrusted, match=saved.digest):
        open_artifact(tmp_path / "a.fastcompile")
    key = Key({"code": "x"})
    store = Store(tmp_path / "cache")

    def save(path: str) -> None:
        save_artifact(path, {"key": key.manifest_entry}, key.members)

    with pytest.warns(FastCompileWarning) as caught:
        assert store.put(key, save) is None
    assert len([w for w in caught if "is not cached" in str(w.message)]) == 1
    assert store.entries() == ()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_a_write_that_stops_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    target = tmp_path / "a.fastcompile"
    save_tiny(target, "old")
    write = os.write

    def stop(descriptor: int, data: bytes) -> int:
        write(descriptor, data[:100])
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", stop)
        with pytest.raises(SaveError, match=os.strerror(number)):
            save_tiny(target, "new")
    assert read_text(target) == "old"
    assert temporaries(tmp_path) == []
