from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.measure import measure
from ipy_fastcompile.records import ArtifactRecord, Progress, ReloadRecord, Report
from ipy_fastcompile.runtime import fresh
from ipy_fastcompile.runtime.fresh import PATHS
from ipy_fastcompile.verification import compared
from tests.unit.show.sample import sample_report


class Compiled:
    """Stands for a compiled model: saves a file, and notes it in its report."""

    def __init__(self) -> None:
        self.report: Report = replace(sample_report(1), tolerance="", max_error=None, reloads=())

    def save(self, path: Path) -> None:
        path.write_bytes(b"artifact")
        record = ArtifactRecord(str(path), "sha256:00", size=8, fx_size=3, signed=True)
        self.report = Report(**{**vars(self.report), "artifact": record})


RELOADS = tuple(ReloadRecord(path, 2, (), 0.01, 0.002, 0.001) for path in PATHS)


@pytest.fixture
def asked() -> dict[str, Any]:
    return {}


@pytest.fixture(autouse=True)
def _quick(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called in eager, and no process is started."""

    def check(compiled: Any, model: Any, args: Any, kwargs: Any, *, calls: Any) -> Report:
        assert calls is None
        asked["check"] = (model, args, kwargs)
        return replace(compiled.report, max_error=2.5e-7, tolerance="1e-3")

    def reload(path: Path, *, paths: Any, runs: int) -> tuple[ReloadRecord, ...]:
        asked["reload"] = (path.read_bytes(), paths, runs)
        asked["file"] = path
        return RELOADS

    monkeypatch.setattr(compared, "compared", check)
    monkeypatch.setattr(fresh, "measure_reloads", reload)


def test_the_report_gets_the_error_and_the_reloads(asked: dict[str, Any], tmp_path: Path) -> None:
    compiled = Compiled()
    path = tmp_path / "a.fastcompile"
    compiled.save(path)
    report = measure(compiled, "model", [1], {"y": 2}, path=path, runs=2)
    assert (report.max_error, report.reloads) == (2.5e-7, RELOADS)
    assert asked["check"] == ("model", (1,), {"y": 2})
    assert asked["reload"] == (b"artifact", ("native", "torch", "fx"), 2)
    assert report.artifact == compiled.report.artifact
    assert path.exists()


def test_without_a_path_a_copy_is_measured_and_removed(asked: dict[str, Any]) -> None:
    report = measure(Compiled(), "model")
    assert not asked["file"].parent.exists()
    assert report.artifact is not None
    assert (report.artifact.path, report.artifact.size) == ("(not saved)", 8)


def test_progress_is_told() -> None:
    told: list[Progress] = []
    measure(Compiled(), "model", runs=2, progress=told.append)
    assert [(p.stage, p.detail) for p in told] == [
        ("check", "against eager"),
        ("reload", "6 fresh processes"),
    ]


def test_an_error_of_the_check_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*args: Any, **named: Any) -> Report:
        raise ZeroDivisionError

    monkeypatch.setattr(compared, "compared", check)
    with pytest.raises(ZeroDivisionError):
        measure(Compiled(), "model")
