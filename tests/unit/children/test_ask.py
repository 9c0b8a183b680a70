"""Whatever a child does, its parent goes on, knows why, and nothing of it is left over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.children import ask as asking
from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.errors import ChildError, ChildStopped, ChildTimeout
from tests.processes import children_of, have_ended

ROOT = Path(__file__).parents[3]
# Starts a process that has the child's output as its own, and notes its number in a file.
GRANDCHILD = """
import pathlib, subprocess, sys, time
def spawn(file, code="import time; time.sleep(600)", **options):
    started = subprocess.Popen([sys.executable, "-c", code], **options)
    pathlib.Path(file + ".part").write_text(str(started.pid))
    pathlib.Path(file + ".part").rename(file)
"""


def run(script: str, request: dict[str, Any] | None = None, timeout: float = 300.0) -> Any:
    return ask(["-c", script], request or {}, environment=dict(os.environ), timeout=timeout)


def is_running(pid_file: Path) -> bool:
    """Whether the process still runs, seconds after it was to be ended; its parent is gone."""
    return not have_ended([int(pid_file.read_text())], seconds=30)


@pytest.fixture(autouse=True)
def nothing_is_left_over() -> Iterator[None]:
    before, files = {*children_of(os.getpid())}, len([*Path("/proc/self/fd").iterdir()])
    yield
    assert {*children_of(os.getpid())} <= before  # also none that nobody waited for
    assert len([*Path("/proc/self/fd").iterdir()]) <= files


def test_the_last_object_that_a_child_prints_is_its_answer() -> None:
    script = (
        "import json, sys\n"
        "print('{not json'); print('{\"n\": 0}')\n"
        "print(json.dumps({'n': json.loads(sys.argv[1])['n'] + 1})); print('bye'); print('{bye')"
    )
    assert run(script, {"n": 3}) == {"n": 4}


def test_an_answer_needs_no_newline_and_may_be_megabytes() -> None:
    script = "import sys, json; sys.stdout.write(json.dumps({'text': 'é' * 2_000_000}))"
    assert run(script) == {"text": "é" * 2_000_000}


@pytest.mark.parametrize(
    ("script", "brief"),
    [
        (
            "raise ValueError('no such op')",
            "ended with code 1; its last words: ValueError: no such op",
        ),
        ("raise SystemExit(3)", "ended with code 3 and said nothing"),
        (
            "import os, sys; sys.stderr.write('at layer 3'); sys.stderr.flush(); os.abort()",
            "was killed by SIGABRT; its last words: at layer 3",
        ),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL and said nothing"),
        ("print('[1, 2]')", "ended with code 0; its last words: [1, 2]"),
        ("print('{\"cut\": ')", 'ended with code 0; its last words: {"cut":'),
    ],
)
def test_a_child_that_ends_without_an_answer_says_how(script: str, brief: str) -> None:
    with pytest.raises(ChildError) as caught:
        run(script)
    assert caught.value.brief == brief
    assert not isinstance(caught.value, ChildTimeout)
    assert caught.value.code in {0, 1, 3, -9, -6}


def test_the_last_lines_are_in_the_error() -> None:
    with pytest.raises(ChildError) as caught:
        run("def f(): raise KeyError('a weight')\nprint('x' * 9000)\nf()")
    said = str(caught.value)
    assert said.startswith("The process ended with code 1 without an answer, its last lines:\n")
    assert "\n    Traceback (most recent call last):\n" in said
    assert "\n    KeyError: 'a weight'\nIts last lines say why" in said
    assert caught.value.lines[-1] == "KeyError: 'a weight'"


def test_a_child_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"{GRANDCHILD}\nspawn({str(pid)!r}); print('waiting', flush=True); time.sleep(600)"
    # However long the two take to start on a busy machine, the limit is past that.
    started = threading.Thread(target=lambda: wait_for(pid))
    started.start()
    with pytest.raises(ChildTimeout, match=r"was stopped after \d+ s, its last lines:") as caught:
        run(script, timeout=10.0)
    started.join()
    assert caught.value.brief == "was stopped after 10 s; its last words: waiting"
    assert not is_running(pid)


def test_a_child_that_is_not_wanted_any_more_is_ended_with_what_it_started(tmp_path: Path) -> None:
    pid, stop = tmp_path / "pid", threading.Event()
    script = f"{GRANDCHILD}\nspawn({str(pid)!r}); time.sleep(600)"

    def stop_it() -> None:
        wait_for(pid)
        stop.set()

    stopper = threading.Thread(target=stop_it)
    stopper.start()
    with pytest.raises(ChildStopped, match="was stopped, as it was asked to be"):
        ask(["-c", script], {}, environment=dict(os.environ), timeout=300, stop=stop)
    stopper.join()
    assert not is_running(pid)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_process_that_holds_the_output_open_is_ended_and_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"{GRANDCHILD}\nspawn({str(pid)!r}); print('{{\"done\": true}}')"
    started = time.monotonic()
    assert run(script) == {"done": True}
    assert time.monotonic() - started < 100
    assert not is_running(pid)


def test_one_that_left_the_group_and_prints_for_ever_is_not_listened_to(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    noise = "while True: print('noise' * 100, flush=True)"
    script = (
        f"{GRANDCHILD}\nspawn({str(pid)!r}, {noise!r}, start_new_session=True)\n"
        "time.sleep(0.5)\n"
        "import os; os.write(1, b'\\n{\"done\": true}\\n')"  # at once, between two of the others
    )
    started = time.monotonic()
    try:
        assert run(script) == {"done": True}
        assert time.monotonic() - started < 100
        assert not is_running(pid)  # nobody reads what it prints, which ends it
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGKILL)


FLOOD = """
import os, resource
from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.errors import ChildError

def flood(code):
    try:
        return ask(["-c", "import os\\n" + code], {}, environment=dict(os.environ), timeout=200)
    except ChildError as error:
        return len(str(error))

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = [
    flood("for _ in range(1600): os.write(1, b'x' * 65536)"),
    flood("for _ in range(1600): os.write(2, b'y' * 65536)"),
    flood("os.write(1, b'{}\\\\n')\\nfor _ in range(200000): os.write(1, b'a' * 511 + b'\\\\n')"),
]
print(answers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_hundred_megabytes_of_output_are_not_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FLOOD], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    answers, _, kibibytes = done.stdout.strip().rpartition(" ")
    one_line, complaint, lines = eval(answers)
    assert 600 < one_line < 1000
    assert 600 < complaint < 1000
    assert lines == {}  # the answer came before all that
    assert int(kibibytes) < 70_000


# --- its parent is stopped -----------------------------------------------------------------------

PARENT = """
import os, sys, time
from ipy_fastcompile.children.ask import ask
code, timeout = sys.argv[1], 600
try:
    ask(["-c", code], {}, environment=dict(os.environ), timeout=600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(600)  # what is gone now was not ended by the end of this process
"""


def test_an_interrupt_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    pid, own = tmp_path / "pid", tmp_path / "own"
    code = f"{GRANDCHILD}\nimport os\npathlib.Path({str(own)!r}).write_text(str(os.getpid()))\n"
    code += f"spawn({str(pid)!r}); time.sleep(600)"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        wait_for(pid)
        os.kill(parent.pid, signal.SIGINT)
        assert parent.stdout is not None
        assert parent.stdout.readline() == "interrupted\n"
        assert not is_running(own)
        assert not is_running(pid)
    finally:
        parent.kill()
        parent.communicate()


def test_an_exception_in_the_parent_ends_the_child(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"

    def give_up(number: int, frame: object) -> None:
        wait_for(pid)
        raise ZeroDivisionError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(ZeroDivisionError):
            run(f"{script}time.sleep(600)")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not is_running(pid)


def test_an_interrupt_while_a_child_is_started_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    real = subprocess.Popen

    def popen(*args: Any, **options: Any) -> Any:
        started.append(real(*args, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return started[-1]

    monkeypatch.setattr(asking.subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        run("import time; time.sleep(600)")
    (child,) = started
    assert child.returncode == -signal.SIGKILL


def test_it_works_in_any_thread_and_where_the_system_reaps_children() -> None:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(run("print('{\"n\": 1}')")))
    thread.start()
    thread.join()
    assert answers == [{"n": 1}]
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run("print('{\"n\": 2}')") == {"n": 2}
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_process_that_cannot_be_started_says_why() -> None:
    with pytest.raises(ChildError, match=r"No process could be started: .*too long") as caught:
        run("", {"text": "x" * 3_000_000})
    assert caught.value.brief.startswith("could not be started: ")
