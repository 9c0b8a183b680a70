"""A race beside this process: begun, stopped, replaced, failing, and ended with the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.records import Standing
from ipy_fastcompile.runtime import beside
from tests.unit.children.test_ask import is_running, wait_for

# A child that notes its number and answers long after the test.
SLOW = """
import os, pathlib, sys, time
pathlib.Path({file!r} + ".part").write_text(str(os.getpid()))
pathlib.Path({file!r} + ".part").rename({file!r})
time.sleep(600)
"""


def child_steps(file: Path) -> beside.Steps:
    """A race of one process."""

    def steps(stop: threading.Event) -> Iterator[Standing]:
        yield Standing("running", total=2, now="native")
        script = SLOW.format(file=str(file))
        ask(["-c", script], {}, environment=dict(os.environ), timeout=300, stop=stop)
        yield Standing("done")

    return steps


def steps_until(event: threading.Event) -> beside.Steps:
    """A race of two processes, the second one of which ends when the test says so."""

    def steps(stop: threading.Event) -> Iterator[Standing]:
        yield Standing("running", done=0, total=2, now="native")
        yield Standing("running", done=1, total=2, now="fx")
        assert event.wait(60)
        yield Standing("done", done=2, total=2)

    return steps


def test_a_race_leaves_this_thread_free_and_tells_every_standing() -> None:
    event, told = threading.Event(), list[Standing]()
    threads = set()

    def tell(standing: Standing) -> None:
        told.append(standing)
        threads.add(threading.current_thread())

    race = beside.start(steps_until(event), tell)
    assert race.runs
    event.set()
    assert race.wait() == Standing("done", done=2, total=2)
    assert [(standing.state, standing.done) for standing in told] == [
        *(("running", 0), ("running", 1), ("done", 2))
    ]
    assert not race.runs
    assert threads.isdisjoint({threading.current_thread()})
    race.stop("too late")
    assert race.standing.state == "done"


def test_a_race_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    told: list[Standing] = []
    race = beside.start(child_steps(tmp_path / "pid"), told.append)
    wait_for(tmp_path / "pid")
    race.stop("a new cell")
    assert not race.runs
    assert not is_running(tmp_path / "pid")
    assert told[-1] == Standing("stopped", total=2, problem="a new cell")


def test_the_next_race_stops_the_one_that_runs(tmp_path: Path) -> None:
    event = threading.Event()
    first = beside.start(child_steps(tmp_path / "pid"), lambda standing: None)
    wait_for(tmp_path / "pid")
    second = beside.start(steps_until(event), lambda standing: None)
    assert not first.runs
    assert not is_running(tmp_path / "pid")
    assert (first.standing.state, first.standing.problem) == ("stopped", beside.NEXT_RACE)
    event.set()
    assert second.wait().state == "done"


def test_an_interrupt_of_the_wait_ends_the_race(tmp_path: Path) -> None:
    race = beside.start(child_steps(tmp_path / "pid"), lambda standing: None)
    wait_for(tmp_path / "pid")
    # A shell that starts the tests in the background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            race.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    assert race.standing.state == "stopped"
    assert not is_running(tmp_path / "pid")


def test_a_race_that_fails_says_what_and_where() -> None:
    def steps(stop: threading.Event) -> Iterator[Standing]:
        yield Standing("running", done=1, total=2, now="native")
        raise OSError("the disk is full")

    last = beside.start(steps, lambda standing: None).wait()
    assert (last.state, last.done, last.problem) == ("failed", 1, "the disk is full")
    assert "test_beside.py" in last.detail


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()


def _let_end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("end\n")
    process.stdin.flush()


# A child as the races have them: it answers by `answer`, and started a process itself.
ANSWERING = """
import os, pathlib, subprocess, sys, time
from ipy_fastcompile.children.answer import answer
def main(request):
    own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    for name, pid in (("child", os.getpid()), ("grandchild", own.pid)):
        pathlib.Path(request["folder"], name + ".part").write_text(str(pid))
        pathlib.Path(request["folder"], name + ".part").rename(
            pathlib.Path(request["folder"], name))
    time.sleep(600)
answer(main)
"""
OWNER = """
import os, sys
from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.records import Standing
from ipy_fastcompile.runtime import beside
def steps(stop):
    yield Standing("running", total=1)
    request = {"folder": sys.argv[2]}
    ask(["-c", sys.argv[1]], request, environment=dict(os.environ), timeout=300, stop=stop)
beside.start(steps, lambda standing: print(standing.state, standing.problem, flush=True))
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [(_let_end, "running \nstopped the process ended\n"), (_kill, "running \n")],
)
def test_a_race_ends_with_its_process_however_that_ends(
    tmp_path: Path, end: Callable[[Any], None], said: str
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, ANSWERING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        wait_for(tmp_path / "grandchild")
        end(owner)
        assert owner.stdout is not None
        assert owner.stdout.read() == said
    assert not is_running(tmp_path / "child")
    assert not is_running(tmp_path / "grandchild")
