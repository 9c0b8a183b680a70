"""program + request -> the last JSON object that a Python process of its own prints.

Nothing that it started outlives the call: the child leads a session and a process group of its
own, which is killed in the end, whatever the end is. The child's pipes are read as it prints and
left when it ends, since a process that it left behind may hold them open for ever. A child that
answers by `answer` ends itself where this process is killed before it can do that.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from ..errors import ChildError, ChildStopped, ChildTimeout
from ..interrupts import interrupts_deferred
from .output import Output

# Seconds between two looks at a child that says nothing: how late its end may be noticed.
_LOOK = 0.02
_AT_ONCE = 1 << 16
# What may still be in a pipe when a child has ended, with room for larger pipes than Linux makes.
_LEFT_IN_A_PIPE = 1 << 20


def ask(
    program: Sequence[str],
    request: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    timeout: float,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Run ``python PROGRAM REQUEST``, and return what it answers.

    Parameters
    ----------
    program:
        ``["-m", module]`` or ``["-c", script]``. It prints its answer as a line of its own that
        is a JSON object; the last one counts.
    request:
        Handed over as JSON, in ``sys.argv[1]``. ``sys.argv[2]`` is a pipe for `end_with_asker`.
    environment:
        All of the child's environment; see `child_environment`.
    timeout:
        Seconds after which the child, and whatever it started, is killed.
    stop:
        Set from another thread, it has the same done at once.

    Raises
    ------
    ChildStopped
        ``stop`` was set.
    ChildTimeout
        It was not done in time.
    ChildError
        It could not be started, or ended without an answer. ``brief`` says how in one line, and
        ``lines`` are the last that it printed.
    """
    deadline = monotonic() + timeout
    said, complained = Output(), Output()
    stop = stop or threading.Event()
    child: subprocess.Popen[bytes] | None = None
    theirs, ours = os.pipe()
    try:
        with interrupts_deferred():  # else a child could be started that nobody knows of
            child = _start(program, request, environment, theirs)
        in_time = _listen(child, said, complained, deadline, stop)
    finally:
        if child is not None:
            _end(child)
        os.close(theirs)
        os.close(ours)
    if stop.is_set():
        raise ChildStopped("The process was stopped, as it was asked to be.", "Ask again.")
    lines = tuple(complained.last_lines or said.last_lines)
    if not in_time:
        raise ChildTimeout(
            f"The process was stopped after {timeout:g} s{_quoted(lines)}",
            "Give it more time, or less to do.",
            brief=_brief(f"was stopped after {timeout:g} s", lines),
            lines=lines,
            seconds=timeout,
        )
    if said.answer is None:
        ending, hint = _ending(child.returncode)
        raise ChildError(
            f"The process {ending} without an answer{_quoted(lines)}",
            hint,
            brief=_brief(ending, lines),
            lines=lines,
            code=child.returncode,
        )
    return said.answer


def _start(
    program: Sequence[str],
    request: Mapping[str, Any],
    environment: Mapping[str, str],
    lifeline: int,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, *program, json.dumps(request), str(lifeline)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            pass_fds=(lifeline,),
            start_new_session=True,
        )
    except OSError as error:
        raise ChildError(
            f"No process could be started: {error}.",
            "Free some memory or processes, or ask for less at once.",
            brief=f"could not be started: {error}",
            lines=(),
            code=None,
        ) from error


def _listen(
    child: subprocess.Popen[bytes],
    said: Output,
    complained: Output,
    deadline: float,
    stop: threading.Event,
) -> bool:
    """Read until the child has ended, and with it what is in its pipes; False past the deadline.

    It is left as it is once ``stop`` is set.
    """
    with selectors.DefaultSelector() as selector:
        for stream, output in ((child.stdout, said), (child.stderr, complained)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, output)
        while not _has_ended(child) and not stop.is_set():
            left = deadline - monotonic()
            if left <= 0:
                return False
            for key, _ in selector.select(min(left, _LOOK)):
                _read(selector, key, _AT_ONCE)
        for key in list(selector.get_map().values()):
            _read(selector, key, _LEFT_IN_A_PIPE)
            key.data.end_line()
    return True


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey, most: int) -> None:
    """Take what is in a pipe now, up to so many bytes; a pipe that nobody can write to is left."""
    while most > 0:
        try:
            data = os.read(key.fd, min(most, _AT_ONCE))
        except BlockingIOError:
            return
        if not data:
            key.data.end_line()
            selector.unregister(key.fileobj)
            return
        key.data.take(data)
        most -= len(data)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended. It is not reaped, so that its number remains that of its group."""
    try:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, child.pid, flags) is not None
    except ChildProcessError:  # this process ignores SIGCHLD: the system has reaped it
        return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child, if it still runs, and whatever it started."""
    with contextlib.suppress(ProcessLookupError):  # it was reaped, and had started nothing
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for stream in (child.stdout, child.stderr):
        assert stream is not None
        stream.close()


def _ending(code: int) -> tuple[str, str]:
    """How it ended, and what to do about it."""
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL", "Look whether this machine ran out of memory."
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}", "Run it by itself to see where."
    return f"ended with code {code}", "Its last lines say why, where it printed any."


def _quoted(lines: Sequence[str]) -> str:
    return "".join([", its last lines:", *(f"\n    {line}" for line in lines)]) if lines else "."


def _brief(ending: str, lines: Sequence[str]) -> str:
    return f"{ending}; its last words: {lines[-1]}" if lines else f"{ending} and said nothing"
