"""What an object held, and how to let it hold something else: what a look into an object gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...frozen import frozen

MISSING = object()

Named = tuple[str, Any]


@frozen
class Holder:
    """What an object held: ``read`` says what it holds now, ``write`` lets it hold something else.

    ``name`` turns a key of what is read into words; ``tells`` is false of a key where a change
    means nothing to anybody, as in a memory of results. ``is_generator`` marks one of random
    numbers.
    """

    read: Callable[[], Mapping[Any, Any]]
    held: Mapping[Any, Any]
    write: Callable[[Mapping[Any, Any]], None]
    name: Callable[[Any], str]
    tells: Callable[[Any], bool] = lambda _: True
    is_generator: bool = False

    def restore(self) -> None:
        """Put back what was held."""
        self.write(self.held)


Found = tuple[list[Holder], list[Named]]
