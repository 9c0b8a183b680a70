"""An explorer outlives its model: what it holds, and what its button does then."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile import errors
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.engine import again
from ipy_fastcompile.engine.again import race_again
from ipy_fastcompile.records import ReloadRecord, Standing
from ipy_fastcompile.runtime import beside
from tests.tiny import another

RECORD = ReloadRecord("native", 3, (("kernels", 0.001),), 0.007, 0.03, 0.009)


@pytest.fixture
def raced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The files that were raced, and whether as shipped; no process is started."""
    found: list[tuple[str, bool]] = []

    def race(path: Path, *, shipped: bool, **options: Any) -> Iterator[Standing]:
        assert path.exists()
        found.append((str(path), shipped))
        yield Standing("done", (replace(RECORD, shipped=shipped),), 1, 1, "", shipped)

    monkeypatch.setattr(again, "race", race)
    return found


def ended(begin: Callable[[beside.Tell], object]) -> list[Standing]:
    """What a race tells until it is over."""
    told: list[Standing] = []
    over = threading.Event()

    def tell(standing: Standing) -> None:
        told.append(standing)
        over.set()

    begin(tell)
    assert over.wait(60)
    return told


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


def test_a_model_that_is_there_is_raced_from_a_copy(
    mortal: Any, raced: list[tuple[str, bool]]
) -> None:
    explorer = mortal.explore()
    try:
        (standing,) = ended(lambda tell: explorer._rerun(True, tell))
    finally:
        explorer.close()
    beside.stop("the test is over")  # what it wrote is gone with its thread
    ((file, shipped),) = raced
    assert (shipped, standing.state) == (True, "done")
    assert [(r.path, r.shipped) for r in mortal.report.reloads] == [("native", True)]
    assert not Path(file).exists()


def test_the_file_it_was_saved_to_is_measured_instead(
    mortal: Any, tmp_path: Path, raced: list[tuple[str, bool]]
) -> None:
    path = tmp_path / "a.fastcompile"
    mortal.save(path)
    ended(lambda tell: race_again(gone(), mortal.report, True, tell))
    assert raced == [(str(path), True)]


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_file_that_is_another_one_now_is_not(
    mortal: Any, tmp_path: Path, raced: list[tuple[str, bool]], change: str
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
        race_again(gone(), replace(mortal.report, key=""), False, print)
    assert raced == []


def test_the_entry_of_the_cache_is_measured_instead(
    mortal: Any, raced: list[tuple[str, bool]], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = replace(mortal.report, key="0" * 64, artifact=None)
    with pytest.raises(errors.ModelGone):
        race_again(gone(), report, False, print)
    entry = Store().path_of(report.key)
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_bytes(b"")
    ended(lambda tell: race_again(gone(), report, False, tell))
    assert raced == [(str(entry), False)]
