"""Faults 1, 2 and 6: a save that is killed, refused or interrupted at any of its system calls.

A first run under strace lists the system calls between two marks; then one run for each of them,
with the fault injected there.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.parts import need_tool, read_text, save_tiny, temporaries
from tests.faults.traced import END, Traced, run_traced

pytestmark = pytest.mark.privileged

SAVE = f"""
import warnings
from ipy_fastcompile.artifact import blob_name, save_artifact
path, text = sys.argv[1:3]
blob = f"binary {{text}}".encode() * 3
members = {{"execution.py": f"return {{text!r}}\\n".encode(), blob_name(blob): blob}}
warnings.simplefilter("default")
stand_still()
try:
    save_artifact(path, {{"model": text}}, members)
except Exception as error:
    print(type(error).__name__, end="")
finally:
    mark({END!r})
"""


@pytest.fixture(scope="module")
def strace() -> str:
    return need_tool("strace", "-o", "/dev/null", "true")


def trace_save(strace: str, directory: Path, *, with_key: bool) -> list[tuple[str, int]]:
    """(system call, how many of its kind came before it + 1) for every one within the save."""
    target = directory / "a.fastcompile"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(directory))
        if with_key:
            save_tiny(target)
        done = run_traced(strace, SAVE, target, "new", log=directory / "log")
    assert done.ended_well, done.stderr
    return done.points()


@pytest.fixture(scope="module")
def points(strace: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    found = trace_save(strace, tmp_path_factory.mktemp("trace"), with_key=True)
    names = [name for name, _ in found]
    assert names.count("fsync") == 2
    assert names.count("rename") == 1
    assert {"openat", "write", "close"} <= set(names)
    return found


def save_with(
    strace: str, target: Path, call: str, fault: str, when: int, log: Path | None = None
) -> Traced:
    log = log or target.with_name("strace.log")
    done = run_traced(strace, SAVE, target, "new", log=log, inject=f"{call}:{fault}:when={when}")
    # Whatever it did to the save, it did it within: the counted call came between the marks.
    assert sum(call == name for name in done.calls) >= when - (call == "newfstatat")
    return done


def test_killed_at_every_call(
    strace: str, points: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    for call, when in points:
        target = tmp_path / "a.fastcompile"
        save_tiny(target, "old")
        done = save_with(strace, target, call, "signal=KILL", when)
        assert done.was_killed, f"{call} {when} was not killed: {done.log}"
        outcomes[read_text(target)] += 1
    assert set(outcomes) == {"old", "new"}  # killed before and after the rename
    assert outcomes.total() == len(points)
    with capsys.disabled():
        print(f"\nkilled at {len(points)} system calls: {dict(outcomes)}")


def test_io_error_at_every_call(
    strace: str, points: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    for call, when in points:
        target = tmp_path / "a.fastcompile"
        save_tiny(target, "old")
        done = save_with(strace, target, call, "error=EIO", when)
        assert done.ended_well, f"{call} {when}: {done.stderr}"
        assert done.log.count("(INJECTED)") == 1, f"{call} {when}: {done.log}"
        said = done.stdout or ("warned" if "FastCompileWarning" in done.stderr else "saved")
        # The key cannot be read, the file cannot be written, or only the flush of the directory
        # failed; a status that is merely asked for may not matter at all.
        assert said in ("SaveError", "KeyFileError", "warned", "saved"), f"{call} {when}: {said}"
        expected = "old" if said.endswith("Error") else "new"
        assert read_text(target) == expected, f"{call} {when}: {said}"
        assert temporaries(tmp_path) == ([] if call != "unlink" else temporaries(tmp_path))
        outcomes[f"{call}: {said}"] += 1
    assert outcomes["write: SaveError"] >= 1
    assert outcomes["rename: SaveError"] == 1
    assert outcomes["fsync: SaveError"] == 1
    assert outcomes["fsync: warned"] == 1  # the directory's, after the rename
    with capsys.disabled():
        print(f"\nEIO at {len(points)} system calls: {dict(outcomes)}")


def test_interrupted_at_every_call(
    strace: str, points: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    for call, when in points:
        target = tmp_path / "a.fastcompile"
        save_tiny(target, "old")
        done = save_with(strace, target, call, "signal=INT", when)
        assert "KeyboardInterrupt" in done.stderr, f"{call} {when}: {done.stderr}"
        outcomes[read_text(target)] += 1
        assert temporaries(tmp_path) == [], f"{call} {when}"
    assert set(outcomes) == {"old", "new"}
    with capsys.disabled():
        print(f"\ninterrupted at {len(points)} system calls: {dict(outcomes)}")


def test_killed_while_the_first_key_is_made(
    strace: str, data_home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    points = trace_save(strace, tmp_path_factory.mktemp("trace"), with_key=False)
    assert {"mkdir", "link", "unlink"} <= {name for name, _ in points}
    target = tmp_path / "a.fastcompile"
    for call, when in points:
        shutil.rmtree(data_home / "ipy_fastcompile", ignore_errors=True)
        target.unlink(missing_ok=True)
        save_with(strace, target, call, "signal=KILL", when)
        if target.exists():
            assert read_text(target) == "new", f"{call} {when}"
        save_tiny(target, "old")
        assert read_text(target) == "old", f"{call} {when}"
