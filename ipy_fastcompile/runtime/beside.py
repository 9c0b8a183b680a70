"""a race -> a thread that owns its processes, beside whatever else this process does.

There is one race at a time, since two would time each other: a new one stops the one that runs. A
race ends with its process: what is left of it is stopped at exit, and its child notices a kill.
"""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..errors import ChildStopped
from ..records import Standing

# A race -> its standings; the event ends the process that runs.
Steps = Callable[[threading.Event], Iterator[Standing]]
Tell = Callable[[Standing], None]

NEXT_RACE = "another race began"
EXIT = "the process ended"
_PATIENCE = 10.0  # seconds; a child is killed within milliseconds


class Race:
    """A race that runs, or has ended: `standing` is where it is."""

    def __init__(self, steps: Steps, tell: Tell) -> None:
        self.standing = Standing("running")
        self._steps = steps
        self._tell = tell
        self._why = ""
        self._stop = threading.Event()
        # An interrupt of `Thread.join` may leave a thread that runs and says that it has ended.
        self._over = threading.Event()
        # A display finds the cell that it belongs to by the context.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="race", daemon=True)

    def start(self) -> None:
        """Let it run."""
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it still has something to do."""
        return not self._over.is_set()

    def stop(self, why: str) -> None:
        """End it, and wait until nothing of it is left; nothing happens where it is over."""
        if not self.runs:
            return
        self._why = self._why or why
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._over.wait(_PATIENCE)

    def wait(self) -> Standing:
        """Its last standing. An interrupt of the wait ends it."""
        try:
            self._over.wait()
        except BaseException:
            self.stop("it was interrupted")
            raise
        return self.standing

    def _run(self) -> None:
        try:
            for standing in self._steps(self._stop):
                self._now(standing)
        except ChildStopped:
            self._now(replace(self.standing, state="stopped", now="", problem=self._why))
        except Exception as error:  # noqa: BLE001 - shown where the race is, whatever it is
            said = "".join(traceback.format_exception(error))
            what = str(error) or type(error).__name__
            self._now(replace(self.standing, state="failed", now="", problem=what, detail=said))
        finally:
            self._over.set()

    def _now(self, standing: Standing) -> None:
        self.standing = standing
        self._tell(standing)


_latest: list[Race] = []


def start(steps: Steps, tell: Tell) -> Race:
    """Stop the race that runs, if there is one, and begin this one.

    Parameters
    ----------
    steps:
        What is done, in a thread.
    tell:
        Is given every standing, in that thread; the last one's state is not "running".
    """
    stop(NEXT_RACE)
    race = Race(steps, tell)
    _latest[:] = [race]
    race.start()
    return race


def stop(why: str) -> None:
    """End the race that runs, if there is one."""
    for race in _latest:
        race.stop(why)


# Before the interpreter ends daemon threads where they are. A fork has no thread to wait for.
atexit.register(stop, EXIT)
os.register_at_fork(after_in_child=_latest.clear)
