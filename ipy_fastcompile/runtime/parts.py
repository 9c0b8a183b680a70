"""What a load reads: the members of a file that was opened, or of a compile of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..frozen import frozen


class Parts(Protocol):
    """Where a program is read from."""

    @property
    def path(self) -> str:
        """What messages call it."""

    @property
    def manifest(self) -> dict[str, Any]:
        """`manifest.json` as data."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent so far: ``read`` and ``verify``."""

    def read(self, name: str) -> bytes:
        """The verified content of a member."""

    def view(self, name: str) -> memoryview:
        """The same without a copy."""

    def digest_of(self, name: str) -> str:
        """The SHA-256 of the content of a member that was read."""


@frozen
class PartsOfProgram:
    """One program of an artifact as if it were the only one, for whoever looks at it alone."""

    whole: Parts
    manifest: dict[str, Any]

    @property
    def path(self) -> str:
        """What messages call it."""
        return self.whole.path

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent so far on the whole: ``read`` and ``verify``."""
        return self.whole.timings

    @property
    def types(self) -> Mapping[str, Any] | None:
        """Types of containers by name, where a compile of this process knows them."""
        return getattr(self.whole, "types", None)

    def read(self, name: str) -> bytes:
        """The verified content of a member."""
        return self.whole.read(name)

    def view(self, name: str) -> memoryview:
        """The same without a copy."""
        return self.whole.view(name)

    def digest_of(self, name: str) -> str:
        """The SHA-256 of the content of a member that was read."""
        return self.whole.digest_of(name)


def parts_of_program(parts: Parts, position: int) -> PartsOfProgram:
    """The parts of the program at this position."""
    return PartsOfProgram(
        parts, {**parts.manifest, "programs": [parts.manifest["programs"][position]]}
    )
