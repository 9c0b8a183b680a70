"""The test and the writing of one kind of value: what the list in `values` is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...frozen import frozen
from .walker import Walker

# Of the value at a path, so many levels below where describing began.
Write = Callable[[Walker, str, Any, int], None]


def _always(_value: Any) -> bool:
    return True


@frozen
class Handler:
    """Writes values of these ``kinds`` ``when`` that holds of them too."""

    kinds: tuple[type, ...]
    write: Write
    when: Callable[[Any], object] = _always

    def takes(self, value: Any) -> bool:
        """Whether ``value`` is one of its own."""
        return isinstance(value, self.kinds) and bool(self.when(value))


def is_exactly(*kinds: type) -> Callable[[Any], bool]:
    """A test for values of these types and of no subclass."""
    return lambda value: type(value) in kinds


def says(text: Callable[[Any], str]) -> Write:
    """Writes one line."""

    def write(walker: Walker, path: str, value: Any, _depth: int) -> None:
        walker.line(path, text(value))

    return write


def has_parts(text: str, *names: str) -> Write:
    """Writes one line, and the attributes of these names below it."""

    def write(walker: Walker, path: str, value: Any, depth: int) -> None:
        walker.line(path, text)
        for name in names:
            walker.describe(f"{path}.{name}", getattr(value, name), depth + 1)

    return write
