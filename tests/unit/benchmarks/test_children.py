from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.benchmarks.children import error_text, run_child


def run(script: str, *, cache: Path | None = None, timeout: float = 300.0) -> dict[str, object]:
    return run_child(["-c", script], {"n": 3}, cache=cache, timeout=timeout)


def test_the_last_object_that_a_child_prints_is_its_answer(tmp_path: Path) -> None:
    script = (
        "import json, sys\n"
        "print('{not json'); print('{\"n\": 0}')\n"
        "print(json.dumps({'n': json.loads(sys.argv[1])['n'] + 1})); print('bye')"
    )
    answer = run(script, cache=tmp_path)
    assert answer["n"] == 4
    assert float(str(answer["wall"])) > 0


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("raise ValueError('no such op')", "ValueError: no such op"),
        ("raise SystemExit(3)", "ended with code 3 and said nothing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("print('[1, 2]')", "ended with code 0 and said nothing"),
    ],
)
def test_a_child_that_fails_is_an_answer(script: str, said: str, tmp_path: Path) -> None:
    assert str(run(script, cache=tmp_path)["error"]).startswith(said)


def test_a_child_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "time.sleep(600)"
    )
    answer = run(script, cache=tmp_path, timeout=10.0)  # for the child to start its own
    assert answer["error"] == "stopped after 10 s"
    stat = Path("/proc") / pid_file.read_text() / "stat"
    deadline = time.monotonic() + 60
    while stat.exists() and stat.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


_ENVIRONMENT = """
import json, os
names = ("PATH", "CXX", "TORCHINDUCTOR_CACHE_DIR")
seen = {name: os.environ.get(name) for name in names}
cache = seen["TORCHINDUCTOR_CACHE_DIR"]
print(json.dumps({**seen, "files": os.listdir(cache)}))
"""


def test_a_shipped_child_has_no_compiler_and_an_empty_cache() -> None:
    answer = run(_ENVIRONMENT)
    assert (answer["PATH"], answer["CXX"], answer["files"]) == ("", "/nonexistent", [])
    assert not Path(str(answer["TORCHINDUCTOR_CACHE_DIR"])).exists()


def test_any_other_child_has_the_cache_it_is_given(tmp_path: Path) -> None:
    answer = run(_ENVIRONMENT, cache=tmp_path / "new")
    assert answer["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "new")
    assert answer["PATH"] == os.environ["PATH"]


def test_an_error_is_one_line() -> None:
    assert error_text(ValueError("two\n  lines")) == "ValueError: two lines"
    assert len(error_text(ValueError("x" * 5000))) == 600
