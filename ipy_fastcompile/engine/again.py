"""report, and its model if it is still there -> the warm reload measured again.

An explorer lives as long as its page: if it held the model, `del model` would free nothing. It
holds what was reported, and looks for an artifact when its button is pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..artifact import open_artifact
from ..cache.store import Store
from ..errors import ArtifactError, ModelGone
from ..records import ReloadRecord, Report
from ..runtime.fresh import measure_reloads

TimeReloads = Callable[..., tuple[ReloadRecord, ...]]


def time_again(
    own: Callable[[], TimeReloads | None], report: Report, shipped: bool
) -> tuple[ReloadRecord, ...]:
    """What a model times itself, or the same of the file it was saved to, or of its entry.

    ``own`` is a weak reference to the model's `ReloadableModel.time_reloads`. Raises ModelGone when
    neither model nor artifact is left.
    """
    time_reloads = own()
    if time_reloads is not None:
        return time_reloads(shipped=shipped)
    for path in _files(report):
        return measure_reloads(path, shipped=shipped)
    raise ModelGone(
        f"{report.model} is gone, and so is every artifact of it.",
        "Run the cell again; with -o NAME the compiled model is kept, with --save PATH a file.",
    )


def _files(report: Report) -> Iterator[str]:
    """The artifact that was saved, if it is still the same, and the entry of the cache."""
    saved = report.artifact
    if saved is not None:
        try:
            if open_artifact(saved.path).digest == saved.digest:
                yield saved.path
        except (ArtifactError, OSError):  # moved, replaced or removed: not ours any more
            pass
    if report.key:
        entry = Store().path_of(report.key)
        if entry.exists():
            yield str(entry)
