"""Faults 19, 20, 27, 33 and 36: strange neighbours, no rights, copied entries, keys, clocks."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.artifact import limits, save_artifact
from ipy_fastcompile.cache.key.components import Key, section
from ipy_fastcompile.cache.store import Hit, Miss, Store
from ipy_fastcompile.errors import (
    ArtifactError,
    ArtifactStale,
    CacheError,
    CacheMiss,
    FastCompileError,
    FastCompileWarning,
    KeyFileError,
    SaveError,
)
from tests.faults.parts import as_nobody, at_most, directory_of_nobody, tree

COMPONENTS = {
    "code": section("helper.py", "def scale(x):\n    return x * 2\n", 43)
    + section("cell 3", "model = Net()\n"),
    "parameters": "weight: float32[4, 4]\nbias: float32[4]",
    "inputs": "x: float32[1, seq] cpu",
    "dynamic": "x.1 = seq in [1, 128]",
    "splitting": "aten::scaled_dot_product_attention",
    "torch": "2.13.0",
    "python": "3.11.7",
    "cpu": "avx2 avx512f",
    "gpu": "none",
    "inductor": "epilogue_fusion=True\nmax_autotune=False\nfreezing=False",
    "package": "0.1.0 format 1",
}


def put(store: Store, key: Key, size: int = 100, **options: Any) -> Path:
    def save(path: str) -> None:
        members = {**key.members, "a.txt": b"x" * size}
        save_artifact(path, {"model": "Net", "key": key.manifest_entry}, members)

    entry = store.put(key, save, strict=True, **options)
    assert entry is not None
    return entry.path


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_hit_and_miss(store: Store) -> None:
    key = Key(COMPONENTS)
    miss = store.lookup(key)
    assert isinstance(miss, Miss)
    assert miss.lines == ("first compile of this model",)
    put(store, key)
    hit = store.lookup(Key(dict(reversed(COMPONENTS.items()))))
    assert isinstance(hit, Hit)
    assert hit.artifact.read("a.txt") == b"x" * 100


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_that_changes_is_a_miss_that_names_it(store: Store, name: str) -> None:
    put(store, Key({**COMPONENTS, "torch": "2.11.0", "python": "3.10.0", "cpu": "sse"}))
    put(store, Key(COMPONENTS))
    for changed in (
        {**COMPONENTS, name: COMPONENTS[name] + " "},
        {**COMPONENTS, name: ""},
        {key: text for key, text in COMPONENTS.items() if key != name},
        {**COMPONENTS, f"new {name}": "something nobody thought of"},
    ):
        miss = store.lookup(Key(changed))
        assert isinstance(miss, Miss)
        assert miss.reason == "absent"
        assert miss.explanation is not None
        names = [change.component for change in miss.explanation.changes]
        assert names == [f"new {name}" if f"new {name}" in changed else name]
        assert names[0] in str(miss.explanation)


def test_the_text_moved_to_another_component_is_another_key() -> None:
    digests = {
        Key(components).digest
        for components in (
            {"a": "1", "b": "2"},
            {"a": "2", "b": "1"},
            {"a": "12", "b": ""},
            {"a": "1"},
            {"ab": "12"},
            {"a": "1", "b": "2", "c": ""},
            {},
            {"": ""},
            {"a": "1\n", "b": "2"},
        )
    }
    assert len(digests) == 9


def test_a_miss_goes_down_to_the_line_and_the_flag(store: Store) -> None:
    put(store, Key(COMPONENTS))
    changed = {
        **COMPONENTS,
        "code": COMPONENTS["code"].replace("x * 2", "x * 3"),
        "inductor": COMPONENTS["inductor"].replace("max_autotune=False", "max_autotune=True"),
        "torch": "2.14.0",
    }
    miss = store.lookup(Key(changed))
    assert isinstance(miss, Miss)
    assert miss.lines == (
        "code: helper.py:44: return x * 2 -> return x * 3",
        "torch: 2.13.0 -> 2.14.0",
        "inductor: max_autotune: False -> True",
    )
    assert miss.explanation is not None
    assert "3 of 11 components differ" in miss.explanation.lines[0]
    assert miss.explanation.lines[1:] == miss.lines
    with pytest.raises(CacheMiss, match=r"helper\.py:44"):
        store.lookup(Key(changed), strict=True)


def test_an_entry_copied_over_another_is_a_miss(store: Store) -> None:
    first, second = Key(COMPONENTS), Key({**COMPONENTS, "torch": "2.12.0"})
    source, target = put(store, first), put(store, second)
    shutil.copyfile(source, target)
    with pytest.warns(FastCompileWarning, match="ArtifactStale.*was saved for the key") as caught:
        miss = store.lookup(second)
    assert len(caught) == 1
    assert isinstance(miss, Miss)
    assert miss.reason == "ArtifactStale"
    with pytest.raises(ArtifactStale):
        store.lookup(second, strict=True)
    assert isinstance(store.lookup(first), Hit)
    put(store, second)
    assert isinstance(store.lookup(second), Hit)


def test_an_artifact_without_a_key_is_neither_put_nor_hit(store: Store) -> None:
    key = Key(COMPONENTS)
    for entry in (None, {}, {"digest": key.digest}, {"digest": key.digest, "components": {}}):
        with pytest.raises(FastCompileError, match="cache key"):
            store.put(key, lambda path, e=entry: save_artifact(path, {"key": e}, {}), strict=True)
    assert store.entries() == ()
    save_artifact(store.path_of(key.digest), {"model": "Net"}, {})
    with pytest.warns(FastCompileWarning, match="records no cache key"):
        assert isinstance(store.lookup(key), Miss)


def test_an_artifact_of_another_key_is_not_put(store: Store, tmp_path: Path) -> None:
    key, other = Key(COMPONENTS), Key({"code": "x"})
    path = tmp_path / "a.fastcompile"
    save_artifact(path, {"key": key.manifest_entry}, key.members)
    with pytest.warns(FastCompileWarning, match="ArtifactStale"):
        assert store.put(other, path) is None
    assert store.put(key, path) is not None
    assert isinstance(store.lookup(key), Hit)
    assert path.exists()


@pytest.mark.parametrize(
    ("damage", "reason", "quarantined"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "ContainerCorrupt", True),
        (lambda path: path.write_bytes(b""), "ContainerCorrupt", True),
        (
            lambda path: path.write_bytes(path.read_bytes().replace(b"xxxx", b"xyxx", 1)),
            "MemberCorrupt",
            True,
        ),
        (lambda path: path.chmod(0o666), "ArtifactUntrusted", False),
        (lambda path: (path.unlink(), path.mkdir()), "ArtifactNotFound", False),
        (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "ArtifactNotFound", False),
        (lambda path: (path.unlink(), os.mkfifo(path)), "ArtifactNotFound", False),
    ],
)
def test_an_entry_that_is_not_usable_is_a_miss_with_one_warning(
    store: Store, damage: Any, reason: str, quarantined: bool
) -> None:
    key = Key(COMPONENTS)
    path = put(store, key)
    damage(path)
    with pytest.raises(ArtifactError) as refused:
        store.lookup(key, strict=True)
    assert type(refused.value).__name__ == reason
    with pytest.warns(FastCompileWarning, match=reason) as caught, at_most(120):
        miss = store.lookup(key)
    assert len(caught) == 1
    assert isinstance(miss, Miss)
    assert miss.reason == reason
    assert path.with_name(path.name + ".bad").exists() == quarantined
    if path.is_dir():
        with pytest.raises(SaveError):
            put(store, key)
    else:
        put(store, key)
        assert isinstance(store.lookup(key), Hit)


def test_a_key_file_that_others_saw_makes_every_entry_a_miss(store: Store, data_home: Path) -> None:
    key = Key(COMPONENTS)
    put(store, key)
    (data_home / "ipy_fastcompile" / "key").chmod(0o644)
    with pytest.warns(FastCompileWarning, match="KeyFileError.*0644"):
        assert isinstance(store.lookup(key), Miss)
    with pytest.warns(FastCompileWarning, match="not cached.*KeyFileError"):
        assert store.put(key, lambda path: save_artifact(path, {}, {})) is None
    with pytest.raises(KeyFileError):
        store.lookup(key, strict=True)


def test_strange_neighbours_do_not_stop_writes(store: Store, tmp_path: Path) -> None:
    directory = store.directory
    directory.mkdir()
    digest = "0" * 64
    (directory / "notes.txt").write_text("mine")
    (directory / f"{digest}.fastcompile").mkdir()
    (directory / f"{digest}.lock").mkdir()
    (directory / f"{digest}.fastcompile.bad").symlink_to(tmp_path)
    (directory / f"{'1' * 64}.fastcompile").symlink_to("nowhere")
    os.mkfifo(directory / f"{'2' * 64}.fastcompile")
    (directory / f"{'3' * 64}.fastcompile").write_bytes(b"junk")
    (directory / f"{'4' * 64}.fastcompile.bad").write_bytes(b"junk")
    (directory / ".fastcompile-0.tmp").write_bytes(b"half")
    (directory / ".fastcompile-1.tmp").mkdir()
    (directory / "\udcff.fastcompile").write_bytes(b"junk")
    (directory / "\x1b[31m").write_bytes(b"junk")
    (directory / "sub").mkdir()
    (directory / "sub" / "file").write_text("mine")
    with socket.socket(socket.AF_UNIX) as server, at_most(120):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(directory)  # the path of a socket may have 107 bytes only
            server.bind(f"{'5' * 64}.fastcompile")
        before = names(directory)
        key = Key(COMPONENTS)
        put(store, key)
        assert isinstance(store.lookup(key), Hit)
        assert isinstance(store.lookup(Key({"code": "x"})), Miss)
        problems = [entry.problem for entry in store.entries() if entry.problem]
        assert len(problems) == 1  # the junk; what is no regular file is no entry
        store.prune(0)
        left = names(directory) - {".prune.lock"}
        gone = {f"{'3' * 64}.fastcompile", f"{'4' * 64}.fastcompile.bad"}
        assert left == before - gone  # the temporary is young; all else is not ours
        store.clear()
        left = names(directory) - {".prune.lock"}
        assert left == before - gone - {".fastcompile-0.tmp"}


def test_the_directory_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    key = Key(COMPONENTS)
    for directory in (tmp_path / "file", tmp_path / "file" / "sub", Path("a\0b"), Path("/proc/x")):
        store = Store(directory)
        miss = store.lookup(key)
        assert isinstance(miss, Miss)
        with pytest.warns(FastCompileWarning, match="not cached"):
            assert store.put(key, lambda path: save_artifact(path, {}, {})) is None
        with store.lock(key, seconds=0.1) as held:
            assert not held
    with pytest.raises(CacheError):
        Store(tmp_path / "file").entries()
    assert Store(tmp_path / "missing").entries() == ()
    assert Store(tmp_path / "missing").prune().removed == ()


IMPORTS = """
import warnings
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Hit, Miss, Store
import ipy_fastcompile.artifact.summary
"""
READ_ONLY = """
directory = sys.argv[1]
os.environ["XDG_DATA_HOME"] = directory
os.mkdir(directory + "/cache", 0o700)
store, key, other = Store(directory + "/cache"), Key({"code": "x"}), Key({"code": "y"})
def save(key):
    return lambda path: save_artifact(path, {"key": key.manifest_entry}, key.members)
store.put(key, save(key))
os.chmod(directory + "/cache", 0o555)
try:
    open(directory + "/cache/probe", "w")
    print("the directory is not read-only")
except PermissionError:
    pass
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as caught:
    print(isinstance(store.lookup(key), Hit), isinstance(store.lookup(other), Miss), len(caught))
    with store.lock(other, seconds=1) as held:
        print(held)
    print(store.put(other, save(other)), len(caught), caught[0].message)
    print(len(store.entries()), store.show(key.digest[:8]).size > 0, store.prune().removed)
os.chmod(directory + "/cache", 0o755)
"""


def test_a_read_only_cache_serves_hits_and_warns_once_on_a_save() -> None:
    with directory_of_nobody() as directory:
        lines = as_nobody(IMPORTS, READ_ONLY, directory).stdout.splitlines()
    assert lines[:2] == ["True True 0", "False"]
    assert lines[2].startswith("None 1 The result is not cached (SaveError): ")
    assert "Permission denied" in lines[2]
    assert lines[3:] == ["1 True ()"]


def fill(store: Store, count: int) -> list[Path]:
    return [put(store, Key({"code": str(number)}), size=1000) for number in range(count)]


def test_the_least_recently_used_goes_first(store: Store) -> None:
    paths = fill(store, 4)
    size = paths[0].stat().st_size
    now = time.time()
    for age, path in enumerate(paths):
        os.utime(path, (now - 1000 + age, now - 1000 + age))
    assert isinstance(store.lookup(Key({"code": "0"})), Hit)  # the oldest is used again
    pruned = store.prune(2 * size + 10)
    assert set(pruned.removed) == {paths[1].name, paths[2].name}
    assert (pruned.kept_entries, pruned.freed) == (2, 2 * size)
    assert [entry.path for entry in store.entries()] == [paths[0], paths[3]]


def test_putting_keeps_the_cache_under_its_cap(tmp_path: Path) -> None:
    size = put(Store(tmp_path / "other"), Key({"code": "0"}), size=1000).stat().st_size
    store = Store(tmp_path / "cache", cap_bytes=3 * size + 10)
    for number, path in enumerate(fill(store, 8)):
        os.utime(path, (number, number)) if path.exists() else None
    assert sum(entry.size for entry in store.entries()) <= store.cap_bytes
    assert len(store.entries()) == 3
    with pytest.raises(CacheError, match="more than the whole cache may take"):
        put(store, Key({"code": "big"}), size=4 * size)
    assert len(store.entries()) == 3


@pytest.mark.parametrize("skew", [-(10**9), -3600 * 24 * 400, 3600 * 24 * 400, 2**33])
def test_wrong_clocks_leave_the_cache_bounded(store: Store, skew: int) -> None:
    now = time.time()
    skewed = fill(store, 3)
    for path in skewed:
        os.utime(path, (max(0, now + skew), max(0, now + skew)))
    for number in range(2):
        leftover = store.directory / f".fastcompile-{number}.tmp"
        leftover.write_bytes(b"half")
        bad = store.directory / f"{number}{'f' * 63}.fastcompile.bad"
        bad.write_bytes(b"junk")
        for path in (leftover, bad):
            os.utime(path, (max(0, now + skew), max(0, now + skew)))
    good = put(store, Key({"code": "good"}), size=1000)
    pruned = store.prune(good.stat().st_size + 10)
    assert {path.name for path in skewed} <= set(pruned.removed)
    assert [entry.path for entry in store.entries()] == [good]
    assert [name for name in names(store.directory) if name.endswith((".tmp", ".bad"))] == []
    assert isinstance(store.lookup(Key({"code": "good"})), Hit)


def test_young_temporaries_and_quarantined_files_stay(store: Store) -> None:
    path = put(store, Key(COMPONENTS))
    leftover = store.directory / ".fastcompile-0.tmp"
    leftover.write_bytes(b"half")
    path.write_bytes(b"junk")
    with pytest.warns(FastCompileWarning, match="renamed to"):
        store.lookup(Key(COMPONENTS))
    assert store.prune().removed == ()
    old = time.time() - limits.QUARANTINE_SECONDS - 60
    os.utime(leftover, (old, old))
    os.utime(path.with_name(path.name + ".bad"), (old, old))
    assert set(store.prune().removed) == {leftover.name, f"{path.name}.bad"}


def test_only_what_was_asked_for_is_touched(store: Store, tmp_path: Path) -> None:
    put(store, Key(COMPONENTS))
    before = tree(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.lookup(Key({"code": "x"}))
        store.lookup(Key(COMPONENTS))
        store.entries()
        store.why(Key({"code": "x"}))
    assert tree(tmp_path) == before
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
