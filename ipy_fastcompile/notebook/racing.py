"""a compile that is shown -> whether its reload paths race, and where the race is shown.

A race takes half a minute, so it runs beside the notebook. It is waited for where nobody would see
what comes after the cell's reply.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from IPython.display import display
from IPython.terminal.interactiveshell import TerminalInteractiveShell

from ..records import Progress, Report, Standing
from .at_prompt import RaceAtPrompt
from .outputs import has_frontend
from .progress import draw_bar

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..runtime.beside import Tell
    from .arguments import Options

STAGE = "warm reload"


def is_attended(shell: InteractiveShell) -> bool:
    """Whether somebody looks at the outputs of a cell after it has run.

    nbclient, and with it nbconvert and papermill, says in each request that nobody can be asked
    for input (``allow_stdin``); every front end that a person sits at says that somebody can.
    """
    if has_frontend(shell):
        get_parent = getattr(shell, "get_parent", None)
        request = (get_parent() if get_parent is not None else None) or {}
        return bool(request.get("content", {}).get("allow_stdin", False))
    # A script or a command given to ``ipython`` ends the session with its last line.
    goes_on = getattr(shell.parent, "interact", True)
    return isinstance(shell, TerminalInteractiveShell) and goes_on and sys.stdin.isatty()


def change_of_track(report: Report) -> str:
    """What is another machine now than that of the race that a cached report holds, or nothing."""
    from ..runtime.machine import describe_track

    was = next((r.machine for r in report.reloads if not r.shipped), "")
    now = describe_track()
    return f"The machine has changed: it was {was}, and is {now}." if was not in ("", now) else ""


def wants_race(options: Options, report: Report) -> bool:
    """Whether there is something to find out: no race is known, or none of those on this machine.

    Who says how many runs there are to be asks for them.
    """
    is_known = report.cache == "hit" and any(not r.shipped for r in report.reloads)
    is_asked = options.race or options.runs is not None
    return is_asked or not is_known or change_of_track(report) != ""


def race_note(
    report: Report, standing: Standing | None, *, is_begun: bool, in_notebook: bool
) -> str:
    """What the static report says in the place of a race, or of the one it holds.

    ``standing`` is that of a race that was waited for.
    """
    if standing is not None and standing.state != "done":
        return f"{standing.state} after {standing.done} fresh processes: {standing.problem}."
    change = change_of_track(report)
    if not is_begun:
        return change
    where = "the table is below" if in_notebook else "the table follows"
    begun = f"timed beside this session, in fresh processes; {where}."
    if not any(not r.shipped for r in report.reloads):
        return begun
    return f"{change} It is {begun}".lstrip()


def race_outputs(shell: InteractiveShell, report: Report) -> list[Tell]:
    """What shows a race that is about to begin, and is to be told of its standings."""
    page = has_frontend(shell)
    return [RaceOutput(report).update if page else RaceAtPrompt(shell, report).update]


class RaceOutput:
    """An output of its own that a race fills: a bar, and the table of what has run so far."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._began = time.monotonic()
        self._handle: Any = display(self._bundle(Standing("running")), raw=True, display_id=True)

    def update(self, standing: Standing) -> None:
        """Show how far it is."""
        self._handle.update(self._bundle(standing), raw=True)

    def _bundle(self, standing: Standing) -> dict[str, str]:
        from ..show.markup import html_frame
        from ..show.race import race_html, race_text

        texts, parts = [race_text(self._report, standing)], race_html(self._report, standing)
        if standing.state == "running":
            seconds = time.monotonic() - self._began
            share = standing.done / max(standing.total, 1)
            bar = draw_bar(share, as_progress(standing, STAGE), seconds)
            texts.insert(0, bar["text/plain"])
            parts.insert(0, bar["text/html"])
        return {"text/plain": "\n".join(filter(None, texts)), "text/html": html_frame(parts, 1_100)}


def as_progress(standing: Standing, stage: str) -> Progress:
    """A standing as a stage of the bar."""
    return Progress(stage, standing.done, standing.total, standing.now)
