"""A request -> a fresh process -> what it measured, or what it said: no child ends the bench."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from ipy_fastcompile.runtime.fresh import child_environment

# Of what a child said, this much is kept in a result.
_LONGEST_ERROR = 600


def environment_for(cache: Path | None) -> dict[str, str]:
    """The environment of a child: its Inductor cache, or None for a machine that has nothing.

    Such a machine has an empty ``PATH``, ``CXX=/nonexistent``, and an empty Inductor cache that
    the child gets for itself (see `run_child`).
    """
    if cache is None:
        return child_environment("")
    cache.mkdir(parents=True, exist_ok=True)
    return {**child_environment(None), "TORCHINDUCTOR_CACHE_DIR": str(cache)}


def run_child(
    program: Sequence[str],
    request: Mapping[str, Any],
    *,
    cache: Path | None,
    timeout: float,
) -> dict[str, Any]:
    """Run ``python PROGRAM REQUEST`` in a process of its own.

    Parameters
    ----------
    program:
        ``["-m", module]`` or ``["-c", script]``. It prints its result as the last line that is a
        JSON object.
    cache:
        Inductor's cache directory; None for an empty one and no compiler.
    timeout:
        Seconds until the child and its own children are stopped.

    Returns
    -------
    The result, with ``wall`` seconds; or ``{"error": what it said, "wall": seconds}``.
    """
    started = perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="fastcompile-bench-") as empty,
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
    ):
        environment = environment_for(cache)
        if cache is None:
            environment["TORCHINDUCTOR_CACHE_DIR"] = empty
        child = subprocess.Popen(
            [sys.executable, *program, json.dumps(request)],
            stdin=subprocess.DEVNULL,
            stdout=out,  # files, not pipes: compile workers that outlive the child hold them open
            stderr=err,
            env=environment,
            start_new_session=True,
        )
        problem = ""
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            problem = f"stopped after {timeout:.0f} s"
        finally:
            _stop_group(child)
        result = _read_result(out) if not problem else None
        if result is None:
            result = {"error": problem or _last_words(err, child.returncode)}
    return {**result, "wall": perf_counter() - started}


def _stop_group(child: subprocess.Popen[bytes]) -> None:
    """End the child, if it still runs, and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read_result(out: IO[str]) -> dict[str, Any] | None:
    out.seek(0)
    for line in reversed(out.read().splitlines()):
        if line.startswith("{"):
            try:
                result = json.loads(line)
            except ValueError:
                continue
            return dict(result)
    return None


def _last_words(err: IO[str], code: int) -> str:
    err.seek(0)
    lines = [line for line in err.read().splitlines() if line.strip()]
    said = lines[-1].strip() if lines else "nothing"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}; its last words: {said}"[:_LONGEST_ERROR]
    return said[:_LONGEST_ERROR] if lines else f"ended with code {code} and said nothing"


def error_text(error: BaseException) -> str:
    """What a child answers when it fails: ``InvalidCxxCompiler: No working C++ compiler ...``."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_LONGEST_ERROR]
