"""exception from generated code -> the same exception, with a note that says where it comes from.

The traceback shows the generated lines, each with the user's line behind it. The note says the same
in one place: the submodule, the line of the execution code, and the line of the user's model.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator

EXECUTION = "<execution code"
KERNEL = "<kernel_"


def add_note(error: BaseException) -> None:
    """Add the note (Python 3.11 and newer); an error of anything but generated code has none."""
    note = failure_note(error)
    if note and hasattr(error, "add_note"):
        error.add_note(note)


def failure_note(error: BaseException) -> str:
    """What the note says; empty when no generated line is in the traceback."""
    places = list(_generated_frames(error))
    executed = [place for place in places if place[0].startswith(EXECUTION)]
    if not executed:
        return ""
    filename, line = executed[0]
    note = f"Raised by line {line} of the execution code{_submodule(filename, line)}"
    users = [text for text in (_user_line(*place) for place in reversed(places)) if text]
    return f"{note}\nwhich comes from {users[0]}" if users else note


def _generated_frames(error: BaseException) -> Iterator[tuple[str, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if filename.startswith((EXECUTION, KERNEL)):
            yield filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _submodule(filename: str, line: int) -> str:
    """``, in submod_2: model.layers.0 (start)``: the comment above a call says it."""
    above = ""
    while line > 1 and not above.startswith(("# submod_", "def ")):
        line -= 1
        above = linecache.getline(filename, line).strip()
    return f", in {above[2:]}" if above.startswith("#") else ""


def _user_line(filename: str, line: int) -> str:
    """``modeling_llama.py:310 in forward: ...``: the comment behind a generated line."""
    _, found, text = linecache.getline(filename, line).partition("  # ")
    return text.strip() if found else ""
