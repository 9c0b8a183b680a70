"""compiled model, outputs -> a race begun for a cell, and ended when the cell has no use for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .racing import as_progress

if TYPE_CHECKING:
    from ..records import Standing
    from ..runtime.beside import Race, Tell
    from .progress import Bar

_NEW_CELL = "a new cell compiles its model"
_UNLOADED = "the extension was unloaded"


class Races:
    """The latest race of a session, with the cell and the model that it is of."""

    def __init__(self) -> None:
        self._race: Race | None = None
        self._cell = ""
        self._model: Callable[[], Any] = _nothing

    def begin(
        self, cell: str, compiled: Any, model: Any, outputs: Sequence[Tell], *, runs: int | None
    ) -> Race:
        """Begin a race; each of ``outputs`` is told of every standing, in another thread."""
        from ..engine.again import begin_race

        def tell(standing: Standing) -> None:
            for show in outputs:
                show(standing)

        self._cell = cell
        try:
            self._model = weakref.ref(model)
        except TypeError:  # it is known by its cell alone
            self._model = _nothing
        self._race = begin_race(compiled, tell, runs=runs)
        return self._race

    def run(self, cell: str, compiled: Any, model: Any, bar: Bar, *, runs: int | None) -> Standing:
        """Begin a race and wait for it, while the bar shows how far it is."""

        def show(standing: Standing) -> None:
            bar.update(as_progress(standing, "reload"))

        return self.begin(cell, compiled, model, [show], runs=runs).wait()

    def vacate(self, cell: str, model: Any) -> None:
        """End the race of this cell, or of this model, since it is compiled anew."""
        if cell == self._cell or self._model() is model:
            self._stop(_NEW_CELL)

    def close(self) -> None:
        """End the race that runs."""
        self._stop(_UNLOADED)

    def _stop(self, why: str) -> None:
        if self._race is not None:
            self._race.stop(why)


def _nothing() -> Any:
    return None
