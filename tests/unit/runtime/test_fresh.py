"""A race along the paths, with processes that a test makes up."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.errors import ChildStopped
from ipy_fastcompile.runtime import fresh
from ipy_fastcompile.runtime.fresh import measure_reloads, race

LOADS = {"native": 0.01, "torch": 0.5, "fx": 3.0}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the processes that were started, in order."""
    found: list[str] = []

    def run_child(file: Any, via: str, **options: Any) -> dict[str, Any]:
        if options["stop"] is not None and options["stop"].is_set():
            raise ChildStopped("Stopped.", "Ask again.")
        found.append(via)
        if via not in LOADS:
            return {"error": "The process could not be started: no memory"}
        seconds = {"steps": {"kernels": LOADS[via]}, "load": LOADS[via]}
        return {**seconds, "first_call": 0.001, "call": 0.0005}

    monkeypatch.setattr(fresh, "run_child", run_child)
    return found


@pytest.mark.slow
def test_paths_alternate_and_a_slow_one_runs_once(tiny_artifact: Path, started: list[str]) -> None:
    standings = list(race(tiny_artifact))
    assert started == ["native", "torch", "fx", "native", "torch", "native", "torch"]
    assert [standing.now for standing in standings] == [*started, ""]
    assert [standing.done for standing in standings] == [*range(8)]
    assert [standing.total for standing in standings] == [9, 9, 9, *5 * [7]]
    assert [len(standing.reloads) for standing in standings] == [0, 1, 2, *5 * [3]]
    assert [standing.state for standing in standings] == [*7 * ["running"], "done"]
    last = standings[-1].reloads
    assert [(record.path, record.runs, record.load) for record in last] == [
        *(("native", 3, 0.01), ("torch", 3, 0.5), ("fx", 1, 3.0))
    ]
    assert all(record.measured and "core" in record.machine for record in last)


@pytest.mark.slow
def test_a_path_that_fails_is_not_tried_again(tiny_artifact: Path, started: list[str]) -> None:
    native, broken = measure_reloads(tiny_artifact, ("native", "broken"), 2)
    assert started == ["native", "broken", "native"]
    assert (native.runs, broken.runs) == (2, 0)
    assert broken.error == "The process could not be started: no memory"


@pytest.mark.slow
def test_a_race_that_is_stopped_starts_nothing_more(
    tiny_artifact: Path, started: list[str]
) -> None:
    stop = threading.Event()
    steps = race(tiny_artifact, stop=stop)
    next(steps)
    next(steps)
    stop.set()
    with pytest.raises(ChildStopped):
        next(steps)
    assert started == ["native"]
