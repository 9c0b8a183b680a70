"""file that a model reads -> where it is, and back to there.

What is written to a file stays there; one in memory is put back whole.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from .holder import Found, Holder


def is_stream(value: Any) -> bool:
    """Whether an object is a file that is read, which has a position, or one in memory."""
    if not isinstance(value, io.IOBase) or value.closed:
        return False
    if isinstance(value, (io.StringIO, io.BytesIO)):
        return True
    return value.readable() and not value.writable() and value.seekable()


def look_into_stream(where: str, value: Any) -> Found:
    """The holder of a file, as far as it can be put back."""
    if not is_stream(value):
        return [], []
    is_in_memory = isinstance(value, (io.StringIO, io.BytesIO))
    state: Any = value.__getstate__() if is_in_memory else value.tell()

    def read() -> dict[str, Any]:
        content = {"content": value.getvalue()} if is_in_memory else {}
        return {"position": _position(value), **content}

    def write(_: Mapping[str, Any]) -> None:
        if is_in_memory:
            value.__setstate__(state)
        else:
            value.seek(state)

    return [Holder(read, read(), write, lambda _: where)], []


def _position(stream: Any) -> str:
    """Where a file is; Python does not say while lines are taken of a text."""
    try:
        return f"position {stream.tell()}"
    except OSError:
        return "further on"
