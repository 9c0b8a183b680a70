"""Faults 14 to 18: many writers, readers and prunes at once; locks whose holder dies or hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Hit, Miss, Store
from ipy_fastcompile.errors import FastCompileWarning
from tests.faults.parts import ROOT, read_text, run_child, save_tiny, temporaries

SOAK_SECONDS = float(
    os.environ.get("FASTCOMPILE_SOAK_SECONDS", "30" if "CI" in os.environ else "4")
)

RACE = """
import multiprocessing, os
from ipy_fastcompile.artifact import open_artifact, save_artifact

WRITERS, ROUNDS = 8, 200
target = sys.argv[1]

def write(number, barrier):
    for round in range(ROUNDS):
        text = f"{round} {number}"
        barrier.wait()
        save_artifact(target, {"model": text}, {"a.txt": text.encode() * 50})
        barrier.wait()
        barrier.wait()

context = multiprocessing.get_context("fork")
barrier = context.Barrier(WRITERS + 1)
for number in range(WRITERS):
    context.Process(target=write, args=(number, barrier), daemon=True).start()
winners = set()
for round in range(ROUNDS):
    barrier.wait(300)
    barrier.wait(300)
    artifact = open_artifact(target)
    text = artifact.manifest["model"]
    assert artifact.read("a.txt") == text.encode() * 50
    assert text.split()[0] == str(round), "a save of an earlier round"
    winners.add(text.split()[1])
    assert os.listdir(os.path.dirname(target)) == [os.path.basename(target)]
    barrier.wait(300)
print(ROUNDS, len(winners))
"""


def test_eight_writers_of_one_name_at_the_same_moment(tmp_path: Path) -> None:
    directory = tmp_path / "race"
    directory.mkdir()
    done = run_child(RACE, directory / "a.fastcompile", timeout=600)
    rounds, winners = map(int, done.stdout.split())
    assert rounds == 200
    assert winners > 1  # they really raced


FIRST_KEY = """
import multiprocessing, os
from ipy_fastcompile.artifact.keyfile import key_path, make_key

def make(barrier, queue):
    for _ in range(50):
        barrier.wait()
        queue.put(make_key())
        barrier.wait()

context = multiprocessing.get_context("fork")
barrier, queue = context.Barrier(9), context.Queue()
for _ in range(8):
    context.Process(target=make, args=(barrier, queue), daemon=True).start()
for _ in range(50):
    barrier.wait(300)
    keys = {queue.get(timeout=300) for _ in range(8)}
    assert keys == {key_path().read_bytes()}, "two processes made different keys"
    assert os.listdir(key_path().parent) == ["key"]
    key_path().unlink()
    barrier.wait(300)
print("one key")
"""


def test_eight_processes_make_the_first_key_at_the_same_moment() -> None:
    assert run_child(FIRST_KEY, timeout=600).stdout == "one key\n"


SOAK = """
import os, random, time, warnings
from collections import Counter
from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Hit, Store

role, directory, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
warnings.simplefilter("error")
store = Store(os.path.join(directory, "cache"))
named = os.path.join(directory, "named.fastcompile")
key = Key({"code": "x"})
seen = Counter()

def save(path, text):
    members = {**key.members, "a.txt": text.encode() * 500}
    save_artifact(path, {"model": text, "key": key.manifest_entry}, members)

def check(artifact):
    text = artifact.manifest["model"]
    assert artifact.read("a.txt") == text.encode() * 500

deadline = time.monotonic() + seconds
turn = 0
while time.monotonic() < deadline:
    turn += 1
    if role == "write":
        text = f"{os.getpid()} {turn}"
        save(named, text)
        assert store.put(key, lambda path: save(path, text)) is not None
        seen["saved"] += 1
    elif role == "read":
        check(open_artifact(named))  # never pruned, hence always there
        found = store.lookup(key)
        if isinstance(found, Hit):
            time.sleep(random.random() / 100)  # pruned or replaced meanwhile
            check(found.artifact)
            seen["hit"] += 1
        else:
            assert found.reason == "absent", str(found)
            seen["absent"] += 1
    else:
        time.sleep(0.02)
        done = store.prune(0)
        store.entries()
        seen["pruned"] += len(done.removed)
print(dict(seen))
"""


def test_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_artifact(tmp_path / "named.fastcompile", {"model": "0"}, {"a.txt": b"0" * 500})
    roles = ["write"] * 8 + ["read"] * 8 + ["prune"]
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", head + SOAK, role, str(tmp_path), str(SOAK_SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in roles
    ]
    totals: Counter[str] = Counter()
    for child in children:
        out, err = child.communicate(timeout=SOAK_SECONDS + 300)
        assert child.returncode == 0, err
        totals.update(eval(out))
    assert totals["saved"] >= 8
    assert totals["hit"] >= 1
    assert totals["pruned"] >= 1
    assert temporaries(tmp_path) == temporaries(tmp_path / "cache") == []
    assert list((tmp_path / "cache").glob("*.bad")) == []
    with capsys.disabled():
        print(f"\nsoak of {SOAK_SECONDS:g} s, {len(roles)} processes: {dict(totals)}")


def stored(tmp_path: Path) -> tuple[Store, Key]:
    store, key = Store(tmp_path / "cache"), Key({"code": "x", "stamp": "y"})

    def save(path: str) -> None:
        members = {**key.members, "a.txt": b"content" * 1000}
        save_artifact(path, {"key": key.manifest_entry}, members)

    assert store.put(key, save) is not None
    return store, key


def test_pruned_while_it_is_being_loaded(tmp_path: Path) -> None:
    store, key = stored(tmp_path)
    hit = store.lookup(key)
    assert isinstance(hit, Hit)
    assert len(store.prune(0).removed) == 1
    assert store.entries() == ()
    assert hit.artifact.read("a.txt") == b"content" * 1000
    assert isinstance(store.lookup(key), Miss)


HOLD = """
import time
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Store
with Store(sys.argv[1]).lock(Key({"code": "x"})) as held:
    print(held, flush=True)
    time.sleep(3600)
"""


def hold_in_child(directory: Path) -> subprocess.Popen[str]:
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    child = subprocess.Popen(
        [sys.executable, "-c", head + HOLD, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "True\n"
    return child


def test_the_holder_of_a_lock_is_killed(tmp_path: Path) -> None:
    child = hold_in_child(tmp_path)
    child.send_signal(signal.SIGKILL)
    # Long before the child itself would have let go of it.
    with child, Store(tmp_path).lock(Key({"code": "x"}), seconds=300) as held:
        assert held
        assert child.wait(60) == -signal.SIGKILL


def test_a_lock_that_is_never_released(tmp_path: Path) -> None:
    store, key = Store(tmp_path / "cache"), Key({"code": "x"})
    child = hold_in_child(store.directory)
    try:
        lock = store.lock(key, seconds=0.2)
        with pytest.warns(FastCompileWarning, match="kept the lock"):
            held = lock.__enter__()
        assert not held
        entry = store.put(
            key, lambda path: save_artifact(path, {"key": key.manifest_entry}, key.members)
        )
        lock.__exit__(None, None, None)
        assert entry is not None
        assert isinstance(store.lookup(key), Hit)
        with store.lock(Key({"code": "another"}), seconds=0.2) as held:
            assert held
    finally:
        child.kill()
        child.communicate()


def test_a_killed_save_leaves_something_to_sweep_but_nothing_to_load(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path)
    child = run_child(
        "import os, signal\n"
        "from ipy_fastcompile.artifact.atomic import temporary_beside\n"
        "with temporary_beside(sys.argv[1]) as temporary:\n"
        "    open(temporary, 'wb').write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n",
        path,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    assert len(temporaries(tmp_path)) == 1
    assert read_text(path) == "old"
    long_ago = time.time() - 3650
    os.utime(tmp_path / temporaries(tmp_path)[0], (long_ago, long_ago))
    from ipy_fastcompile.cache.sweep import prune

    assert len(prune(tmp_path, 10**9).removed) == 1
    assert temporaries(tmp_path) == []
    assert read_text(path) == "old"  # a file that the user named is not the cache's
