"""Result -> the outputs of a cell: text, the static report, the explorer where a page shows it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from IPython.display import display

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from IPython.core.interactiveshell import InteractiveShell


def has_frontend(shell: InteractiveShell) -> bool:
    """Whether a kernel runs the shell, so that somebody can show HTML and widgets."""
    return getattr(shell, "kernel", None) is not None


def show_text(text: str) -> None:
    """Show ``text`` as an output, which a saved notebook keeps."""
    display({"text/plain": text}, raw=True)


def give(shell: InteractiveShell, result: Any, name: str | None) -> Any:
    """``result`` as the value of a line, or None once it is stored under ``name``."""
    if name is None:
        return result
    shell.push({name: result})
    return None


def show_explorer(widget: Any, cell: str, shown: MutableMapping[str, Any]) -> None:
    """Show the explorer below the report; the one that the same cell showed before is closed.

    A widget is held by page and kernel until it is closed, so re-running a cell would pile them up.
    """
    previous = shown.pop(cell, None)
    if previous is not None:
        previous.close()
    shown[cell] = widget
    display(widget)


def cell_key(shell: InteractiveShell, source: str) -> str:
    """What stays the same when a cell is run again: the frontend's id for it, or its text."""
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if get_parent is not None else {}
    identity = (parent or {}).get("metadata", {}).get("cellId")
    return str(identity or hashlib.sha256(source.encode()).hexdigest())
