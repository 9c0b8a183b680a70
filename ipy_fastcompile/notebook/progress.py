"""Progress records -> one bar: an output that is updated in a notebook, one line in a terminal.

In a notebook the bar's place is taken by what comes after it (the report, or a line that says
where the work stopped), so that a saved notebook holds no trace of a half-full bar.
"""

from __future__ import annotations

import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from IPython.display import display

if TYPE_CHECKING:
    from ..records import Progress

# The stages in their order: those of the cold compile, then what proves its result.
STAGES = ("capture", "split", "lower", "codegen", "pack", "check", "reload")
_OF_A_PROGRAM = 4  # so many stages, the first ones, are gone through for each program
_FIRST = 1  # of these so many for all programs, before the others for the first
_WIDTH = 24  # of the terminal's bar, in characters
_PAUSE = 0.1  # seconds between two updates of the same stage


class Bar(Protocol):
    """Where progress is shown, until `finish` puts the result in its place."""

    def update(self, progress: Progress) -> None:
        """Show how far the work has come."""

    def finish(self, bundle: dict[str, str] | None = None) -> None:
        """Take the bar away, and show ``bundle`` (media type -> text) in its place."""


def make_bar(*, in_notebook: bool, quiet: bool, checks: bool = True, races: bool = True) -> Bar:
    """The bar that fits the frontend, for a compile that may also be checked, and raced."""
    if quiet:
        return SilentBar()
    left_out = {name for name, asked in (("check", checks), ("reload", races)) if not asked}
    stages = tuple(stage for stage in STAGES if stage not in left_out)
    return NotebookBar(stages) if in_notebook else TerminalBar(stages, sys.stderr)


def fraction(stages: tuple[str, ...], progress: Progress) -> float:
    """How much of the work is behind ``progress``, from 0 to 1; every stage counts the same.

    The stages of a program count as much as there are programs to share them.
    """
    if progress.stage not in stages:
        return 0.0
    within = min(progress.done / progress.total, 1.0) if progress.total else 0.0
    position = stages.index(progress.stage)
    done = position + within
    if position < _FIRST:
        done = (_FIRST * progress.before + done) / progress.programs
    elif position < _OF_A_PROGRAM:
        rest = (_OF_A_PROGRAM - _FIRST) * progress.before + done - _FIRST
        done = _FIRST + rest / progress.programs
    return done / len(stages)


class Mark:
    """How far a bar has come: it stays where it is while a stage is gone through once more.

    A program may turn out to be several, and a submodule that Inductor refuses is set apart.
    """

    def __init__(self, stages: tuple[str, ...]) -> None:
        self._stages = stages
        self._share = 0.0

    def move(self, progress: Progress) -> float:
        """The share of the work, from 0 to 1, that ``progress`` and all before it are behind."""
        self._share = max(self._share, fraction(self._stages, progress))
        return self._share


def describe(progress: Progress) -> str:
    """``lower 2/3: submod_4``, of several programs with ``call_1 (2 of 2), `` in front."""
    count = f" {progress.done}/{progress.total}" if progress.total > 1 else ""
    detail = f": {progress.detail}" if progress.detail else ""
    place = f"{progress.before + 1} of {progress.programs}"
    about = f"{progress.program} ({place}), " if progress.program else ""
    return f"{about}{progress.stage}{count}{detail}"


class SilentBar:
    """Shows nothing."""

    def update(self, progress: Progress) -> None:
        """Do nothing."""

    def finish(self, bundle: dict[str, str] | None = None) -> None:
        """Do nothing."""


class TerminalBar:
    """One line on ``stream``, erased at the end; nothing at all where it is no terminal."""

    def __init__(self, stages: tuple[str, ...], stream: TextIO) -> None:
        self._mark = Mark(stages)
        self._stream = stream
        self._started = time.monotonic()
        self._drawn = False

    def update(self, progress: Progress) -> None:
        """Draw the line again."""
        if not self._stream.isatty():
            return
        full = round(_WIDTH * self._mark.move(progress))
        bar = "█" * full + "░" * (_WIDTH - full)
        seconds = time.monotonic() - self._started
        line = f"{bar} {describe(progress):.40} {seconds:.0f} s"
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()
        self._drawn = True

    def finish(self, bundle: dict[str, str] | None = None) -> None:
        """Erase the line; print the plain text of ``bundle``."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = False
        if bundle is not None:
            display(bundle, raw=True)


class NotebookBar:
    """One output that is updated, and in the end replaced by the result."""

    def __init__(self, stages: tuple[str, ...]) -> None:
        self._mark = Mark(stages)
        self._started = time.monotonic()
        self._drawn_at = self._started
        self._stage = ""
        self._program = ""
        self._handle: Any = None

    def update(self, progress: Progress) -> None:
        """Draw the bar again, but not more often than a reader can see."""
        now = time.monotonic()
        share = self._mark.move(progress)
        if progress.stage == self._stage and now - self._drawn_at < _PAUSE:
            return
        self._stage, self._program, self._drawn_at = progress.stage, progress.program, now
        self._put(draw_bar(share, progress, now - self._started))

    def finish(self, bundle: dict[str, str] | None = None) -> None:
        """Put ``bundle`` in the bar's place, or a line that says where the work stopped."""
        if bundle is None:
            if self._handle is None:
                return
            seconds = time.monotonic() - self._started
            about = f" of {self._program}" if self._program else ""
            text = f"fastcompile stopped at stage {self._stage}{about} after {seconds:.1f} s"
            bundle = {"text/plain": text, "text/html": f"<div>{escape(text)}</div>"}
        self._put(bundle)
        self._handle = None

    def _put(self, bundle: dict[str, str]) -> None:
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def draw_bar(share: float, progress: Progress, seconds: float) -> dict[str, str]:
    """The bar as HTML that needs inline styles alone, and as text; ``share`` of it is full."""
    text = f"{describe(progress)} ({seconds:.0f} s)"
    html = (
        '<div style="max-width:36em">'
        f'<div style="display:flex;justify-content:space-between;gap:1em">'
        f"<span>{escape(describe(progress))}</span><span>{seconds:.0f} s</span></div>"
        '<div style="height:6px;border-radius:3px;background:rgba(128,128,128,.25)">'
        f'<div style="height:6px;border-radius:3px;width:{share:.0%};background:#1976d2">'
        "</div></div></div>"
    )
    return {"text/plain": text, "text/html": html}
