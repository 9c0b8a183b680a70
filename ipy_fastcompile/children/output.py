"""bytes as a process prints them -> the last JSON object among its lines, and its last words.

A process may print without end: no more than its last lines is kept, and no line past a limit.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

# An answer is one line; what a verification says of thousands of submodules takes a megabyte.
LONGEST_LINE = 16 << 20
# Of what is no answer, this is kept for an error: a traceback's end, and its message.
_KEPT_LINES = 10
_KEPT_CHARACTERS = 600


@dataclass
class Output:
    """What is kept of one stream, whatever comes in."""

    answer: dict[str, Any] | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    _line: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> None:
        """Some more bytes of the stream."""
        first, *others = data.split(b"\n")
        self._extend(first)
        for piece in others:
            self.end_line()
            self._extend(piece)

    def end_line(self) -> None:
        """Look at the line that is over, with the stream or with a newline."""
        text = self._line.decode("utf-8", "replace")
        self._line.clear()
        if not text.strip():
            return
        self.last_lines.append(text.strip()[:_KEPT_CHARACTERS])
        if text.startswith("{"):
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):  # looks like an answer, and is none
                return
            self.answer = found

    def _extend(self, piece: bytes) -> None:
        # The rest of a line that is too long is dropped; what is left of it is no JSON any more.
        self._line += piece[: max(0, LONGEST_LINE - len(self._line))]
