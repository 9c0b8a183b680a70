"""A script -> the system calls it makes after its imports, or one of them made to fail.

Counted from the start of a process, a call is another one in each run: the interpreter looks for
its caches, and finds them or not. Here the script has imported everything and stands still in a
child before strace takes hold of it, so that the first call counted is the first of the script.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.faults.parts import ROOT

PATIENCE = 300  # seconds: what a machine may need that is busy with something else
BEGIN, END = "/traced-part-begins", "/traced-part-ends"
# What is done to the world; memory calls are left out, they have no effect to tear apart, and those
# that wait (`select`, `wait4`) belong to the machinery here.
CALLS = (
    "openat,read,write,fsync,close,rename,link,unlink,mkdir,chmod,lseek,newfstatat,fstat,readlink,"
    "lstat,stat,getrandom,getcwd"
)
HEAD = f"""
import os, select, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs tests behind
sys.path.insert(0, {str(ROOT)!r})
go, known = map(int, sys.argv[1:3])
strace = sys.argv[3].split("\\n")
sys.argv[1:] = sys.argv[4:]
def mark(name):
    try:
        os.stat(name)
    except FileNotFoundError:
        pass
def stand_still():
    here, there = os.pipe()
    child = os.fork()
    if child:
        os.close(there)
        os.read(here, 1)  # ends when the child has nothing left to do but to wait
        os.write(known, str(child).encode())
        os.close(known)
        os.execv(strace[0], [*strace, "-p", str(child)])
    os.close(here)
    os.close(known)
    os.close(there)
    select.select([go], [], [])
    mark({BEGIN!r})
"""


@dataclass(frozen=True)
class Traced:
    """What a script did under strace, between its marks."""

    calls: tuple[str, ...]  # their names, in order
    log: str
    stdout: str
    stderr: str

    @property
    def was_killed(self) -> bool:
        """Whether it ended by SIGKILL."""
        return "+++ killed by SIGKILL +++" in self.log

    @property
    def ended_well(self) -> bool:
        """Whether it ended with status 0."""
        return "+++ exited with 0 +++" in self.log

    def points(self) -> list[tuple[str, int]]:
        """(system call, how many of its kind came before it + 1) for each between the marks."""
        seen: Counter[str] = Counter({"newfstatat": 1})  # the mark
        found = []
        for call in self.calls:
            seen[call] += 1
            found.append((call, seen[call]))
        return found


def run_traced(strace: str, source: str, *arguments: object, log: Path, inject: str = "") -> Traced:
    """Run ``HEAD`` and ``source``, which calls ``stand_still()`` where the counting begins.

    ``inject`` is what strace takes, such as ``close:signal=INT:when=2``.
    """
    for _ in range(5):
        found = _run_once(strace, source, arguments, log, inject)
        if found is not None:
            return found
    raise AssertionError(f"strace did not see the beginning of the script: {log.read_text()}")


def _run_once(
    strace: str, source: str, arguments: tuple[object, ...], log: Path, inject: str
) -> Traced | None:
    command = [strace, "-q", "-o", str(log), "-e", f"trace={CALLS}"]
    command += ["-e", f"inject={inject}"] if inject else []
    go_here, go = os.pipe()
    known, known_there = os.pipe()
    words = [str(go_here), str(known_there), "\n".join(command), *map(str, arguments)]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-c", HEAD + source, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(go_here, known_there),
    )
    os.close(go_here)
    os.close(known_there)
    with os.fdopen(known) as stream:
        pid = stream.read()
    try:
        if pid:  # else the script did not get so far, and says why
            _wait_for_tracer(Path("/proc") / pid / "status")
    finally:
        os.write(go, b"go") if pid else None
        os.close(go)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert pid, stderr
    text = log.read_text()
    names = [(m[1], line) for line in text.splitlines() if (m := re.match(r"(\w+)\(", line))]
    begin = next((at for at, (_, line) in enumerate(names) if BEGIN in line), None)
    if begin != 0:  # a call before the mark, or no mark: strace came too late
        return None
    end = next((at for at, (_, line) in enumerate(names) if END in line), len(names))
    return Traced(tuple(name for name, _ in names[1:end]), text, stdout, stderr)


def _wait_for_tracer(status: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if re.search(r"^TracerPid:\t[1-9]", status.read_text(), re.MULTILINE):
            return
        time.sleep(0.002)
    raise AssertionError("strace did not take hold of the script")
