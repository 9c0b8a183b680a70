"""the stages of a compile -> how long each took, and word of how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..records import Progress, StageRecord

OnProgress = Callable[[Progress], None]


class Stages:
    """Times the stages and tells how far they are."""

    def __init__(self, progress: OnProgress | None) -> None:
        self._about: tuple[str, int, int] = ("", 0, 1)  # which program it is, and of how many
        self._records: list[StageRecord] = []
        self._progress = progress
        self._detail = ""

    def _tell(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if self._progress is not None:
            self._progress(Progress(stage, done, total, detail, *self._about))

    def about(self, name: str, before: int, programs: int) -> None:
        """What comes next is of the program of this name, with so many before it, and so many."""
        self._about = (name, before, programs)

    def taken(self) -> tuple[StageRecord, ...]:
        """The stages since this was asked last."""
        records, self._records = tuple(self._records), []
        return records

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """While this lasts, the stage of this name goes on."""
        self._tell(name, 0, 1)
        self._detail = ""
        started = time.perf_counter()
        yield
        self._records.append(StageRecord(name, time.perf_counter() - started, self._detail))
        self._tell(name, 1, 1)

    def on_kernel(self, done: int, total: int, name: str) -> None:
        """Tell that so many kernels of the lowering are done."""
        self._detail = f"{total} distinct kernels"
        self._tell("lower", done, total, name)
