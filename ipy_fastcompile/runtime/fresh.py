"""artifact -> ReloadRecords: a warm reload timed in processes that never saw the model.

The child gets tensors made from the manifest's parameter specifications, so a reload needs
neither the model's class nor its weights; numbers are checked elsewhere, with the real ones.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..artifact import open_artifact
from ..artifact.schema import read_programs
from ..children.ask import ask
from ..children.environment import child_environment
from ..errors import ChildError
from ..records import ReloadRecord, Standing
from .machine import describe_track
from .request import PATHS
from .settled import runs_left

NOTE = "in fresh processes, with tensors made from the manifest's parameter specifications"
_TIMEOUT_SECONDS = 600


def measure_reloads(
    path: str | os.PathLike[str],
    paths: Sequence[str] = PATHS,
    runs: int | None = 3,
    *,
    shipped: bool = False,
    trust: str | None = None,
) -> tuple[ReloadRecord, ...]:
    """Load an artifact in fresh processes along each path; medians of the steps, in seconds.

    The arguments are those of `race`, whose end this waits for.
    """
    *_, last = race(path, paths, runs, shipped=shipped, trust=trust)
    return last.reloads


def race(
    path: str | os.PathLike[str],
    paths: Sequence[str] = PATHS,
    runs: int | None = None,
    *,
    shipped: bool = False,
    trust: str | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Standing]:
    """The standing before each process, and at the end, when the state is "done".

    All programs are loaded, and the first one's example is called.

    Parameters
    ----------
    paths:
        The reload paths; their runs alternate, so that a drifting machine affects all alike.
    runs:
        Processes per path; by default as many as `runs_left` finds to be needed.
    shipped:
        Whether to run as on a machine that has neither a compiler nor Inductor's cache: an empty
        ``PATH``, ``CXX=/nonexistent`` and an empty ``TORCHINDUCTOR_CACHE_DIR``.
    stop:
        Set from another thread, it ends the process that runs; `ChildStopped` is raised.

    A path that fails is a record with ``error`` set to what the process said.
    """
    artifact = open_artifact(path, trust=trust)
    programs = read_programs(artifact.manifest, artifact.path)
    named = {module for program in programs for module in program.ops.values()}
    modules = sorted(module for module in named if module and module != "__main__")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in paths}
    errors: dict[str, str] = {}
    wanted = None if runs is None else max(1, runs)

    def left(name: str) -> int:
        first_outputs = [result["load"] + result["first_call"] for result in found[name]]
        return 0 if name in errors else runs_left(first_outputs, wanted)

    def standing(state: str, now: str = "") -> Standing:
        done = sum(map(len, found.values())) + len(errors)
        records = tuple(
            _record(name, found[name], errors.get(name, ""), shipped)
            for name in paths
            if found[name] or name in errors
        )
        return Standing(state, records, done, done + sum(map(left, paths)), now, shipped)

    while waiting := [name for name in paths if left(name)]:
        for name in waiting:
            yield standing("running", name)
            result = run_child(path, name, shipped=shipped, trust=trust, modules=modules, stop=stop)
            if "error" in result:
                errors[name] = str(result["error"])
            else:
                found[name].append(result)
    yield standing("done")


def run_child(
    path: str | os.PathLike[str],
    via: str,
    *,
    shipped: bool = False,
    trust: str | None = None,
    modules: Sequence[str] = (),
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """One fresh process: the steps of its load in seconds, or ``{"error": ...}``."""
    request = {"path": os.fspath(path), "via": via, "trust": trust, "modules": list(modules)}
    with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as empty:
        try:
            return ask(
                ["-m", "ipy_fastcompile.runtime.child"],
                request,
                environment=child_environment(empty if shipped else None),
                timeout=_TIMEOUT_SECONDS,
                stop=stop,
            )
        except ChildError as error:
            return {"error": f"The process {error.brief}"}


def _record(
    name: str, results: Sequence[Mapping[str, Any]], error: str, shipped: bool
) -> ReloadRecord:
    measured = datetime.now(timezone.utc).isoformat(timespec="seconds")
    where = {"measured": measured, "machine": describe_track()}
    if not results:
        return ReloadRecord(name, 0, (), 0.0, 0.0, 0.0, shipped, error, NOTE, **where)
    steps = list(results[0]["steps"])
    medians = tuple(
        (step, statistics.median(r["steps"].get(step, 0.0) for r in results)) for step in steps
    )
    return ReloadRecord(
        path=name,
        runs=len(results),
        stages=medians,
        load=statistics.median(r["load"] for r in results),
        first_call=statistics.median(r["first_call"] for r in results),
        call=statistics.median(r["call"] for r in results),
        shipped=shipped,
        error=error,
        note="; ".join([NOTE, *results[0].get("notes", [])]),
        **where,
    )
