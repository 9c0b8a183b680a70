"""(Report, key) -> content, of all its programs: ``1/graph:3`` is graph 3 of the second one.

The first one's keys are plain, so that those of a report with a single program are, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from .content import Content, Contents, UnknownKey
from .view import View


class ProgramContents:
    """The contents of every program of a report, by key."""

    def __init__(self, views: tuple[View, ...]) -> None:
        self.views = views
        self._parts = tuple(map(Contents, views))

    def answer(self, key: str) -> Content:
        """The content of ``key``. Raises UnknownKey when the report has no such thing."""
        number, slash, own = key.rpartition("/")
        if not slash:
            return self._parts[0].answer(key)
        part = next((p for n, p in enumerate(self._parts) if n and str(n) == number), None)
        if part is None:
            raise UnknownKey(f"This report has nothing for {key!r:.80}.")
        return part.answer(own)

    def keys(self) -> Iterator[str]:
        """Every key, what a reader sees first coming first; programs take turns."""
        yield from self._in_turn([part.keys() for part in self._parts])

    def texts(self) -> Iterator[str]:
        """The keys of all code as whole texts."""
        yield from self._in_turn(
            [(f"text:{name}" for name in part.documents.names()) for part in self._parts]
        )

    def _in_turn(self, of_parts: list[Iterator[str]]) -> Iterator[str]:
        for keys in zip_longest(*of_parts):
            for number, key in enumerate(keys):
                if key is not None:
                    yield program_key(number, key)


def program_key(number: int, key: str) -> str:
    """The key by which the report has what program ``number`` calls ``key``."""
    return f"{number}/{key}" if number else key
