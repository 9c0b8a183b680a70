"""An explorer outlives its model: what it holds, and what its button does then."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile import errors
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.engine import again
from ipy_fastcompile.engine.again import time_again
from tests.tiny import another


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The files that were measured, and whether as shipped; no process is started."""
    found: list[tuple[str, bool]] = []

    def measure(path: str, *, shipped: bool) -> tuple[()]:
        found.append((str(path), shipped))
        return ()

    monkeypatch.setattr(again, "measure_reloads", measure)
    return found


@pytest.fixture
def mortal(tiny_compiled: Any) -> Any:
    """A compiled model that nobody else holds."""
    return another(tiny_compiled)


def gone() -> Any:
    class Nothing:
        pass

    return weakref.ref(Nothing())


def test_an_explorer_keeps_neither_the_compiled_model_nor_its_function(
    tiny_compiled: Any,
) -> None:
    mortal = another(tiny_compiled)
    mortal._function = None
    held = [weakref.ref(mortal), weakref.ref(mortal.function)]
    explorer = mortal.explore()
    try:
        del mortal
        gc.collect()
        assert [ref() for ref in held] == [None, None]
    finally:
        explorer.close()


def test_a_model_that_is_there_times_itself(mortal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(
        type(mortal), "time_reloads", lambda self, *, shipped: asked.append(shipped) or ("timed",)
    )
    explorer = mortal.explore()
    try:
        assert explorer._rerun(True) == ("timed",)
    finally:
        explorer.close()
    assert asked == [True]


def test_the_file_it_was_saved_to_is_measured_instead(
    mortal: Any, tmp_path: Path, measured: list[tuple[str, bool]]
) -> None:
    path = tmp_path / "a.fastcompile"
    mortal.save(path)
    assert time_again(gone(), mortal.report, True) == ()
    assert measured == [(str(path), True)]


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_file_that_is_another_one_now_is_not(
    mortal: Any, tmp_path: Path, measured: list[tuple[str, bool]], change: str
) -> None:
    path = tmp_path / "a.fastcompile"
    mortal.save(path)
    if change == "replaced":
        was = mortal.parts.manifest
        other = replace(mortal.parts, manifest={**was, "model": {**was["model"], "name": "Other"}})
        changed = another(mortal)
        changed.parts = other
        changed.write(path)
    else:
        path.unlink()
    with pytest.raises(errors.ModelGone, match=r"is gone.* -o NAME"):
        time_again(gone(), replace(mortal.report, key=""), False)
    assert measured == []


def test_the_entry_of_the_cache_is_measured_instead(
    mortal: Any, measured: list[tuple[str, bool]], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = replace(mortal.report, key="0" * 64, artifact=None)
    with pytest.raises(errors.ModelGone):
        time_again(gone(), report, False)
    entry = Store().path_of(report.key)
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_bytes(b"")
    assert time_again(gone(), report, False) == ()
    assert measured == [(str(entry), False)]
