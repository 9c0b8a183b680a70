"""report, and its model if it is still there -> the warm reload raced, beside this process.

Neither an explorer nor a race holds a model: otherwise `del model` would free nothing while a page
is open. Who is asked for another race looks for the model, and else for an artifact of it.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from ..artifact import SavedArtifact, open_artifact
from ..cache.raced import keep_race
from ..cache.store import Store
from ..errors import ArtifactError, ModelGone
from ..records import Report, Standing
from ..runtime import beside
from ..runtime.beside import Race, Tell
from ..runtime.fresh import race


class Reloadable(Protocol):
    """What is raced: see `engine.reloadable.ReloadableModel`."""

    report: Report

    def write(self, file: Path) -> SavedArtifact:
        """Save it, without noting where."""


def begin_race(
    model: Reloadable, tell: Tell, *, shipped: bool = False, runs: int | None = None
) -> Race:
    """Begin to race the reload paths of ``model``; the race that runs is stopped.

    What it finds becomes part of the model's report, and of the entry that the cache has of it.
    ``tell`` is given every standing, in another thread.
    """
    held = [model]

    def steps(stop: threading.Event) -> Iterator[Standing]:
        # A copy: a file that is replaced, or an entry that is pruned, would end the race.
        with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as folder:
            path = Path(folder) / "raced.fastcompile"
            held.pop().write(path)
            yield from race(path, runs=runs, shipped=shipped, stop=stop)

    return _begin(steps, weakref.ref(model), model.report.key, tell)


def race_again(
    own: Callable[[], Reloadable | None], report: Report, shipped: bool, tell: Tell
) -> None:
    """Begin a race of a model, or of the file it was saved to, or of its entry.

    ``own`` is a weak reference to the model. Raises ModelGone when neither model nor artifact is
    left.
    """
    model = own()
    if model is not None:
        begin_race(model, tell, shipped=shipped)
        return
    path = next(_files(report), None)
    if path is not None:
        _begin(lambda stop: race(path, shipped=shipped, stop=stop), own, report.key, tell)
        return
    raise ModelGone(
        f"{report.model} is gone, and so is every artifact of it.",
        "Run the cell again; with -o NAME the compiled model is kept, with --save PATH a file.",
    )


def _begin(steps: beside.Steps, own: Callable[[], Reloadable | None], key: str, tell: Tell) -> Race:
    def told(standing: Standing) -> None:
        if standing.state == "done":
            model = own()
            if model is not None:
                model.report = model.report.with_reloads(standing.reloads)
            if key:
                keep_race(Store(), key, standing.reloads)
        tell(standing)

    return beside.start(steps, told)


def _files(report: Report) -> Iterator[Path]:
    """The artifact that was saved, if it is still the same, and the entry of the cache."""
    saved = report.artifact
    if saved is not None:
        try:
            if open_artifact(saved.path).digest == saved.digest:
                yield Path(saved.path)
        except (ArtifactError, OSError):  # moved, replaced or removed: not ours any more
            pass
    if report.key:
        entry = Store().path_of(report.key)
        if entry.exists():
            yield entry
