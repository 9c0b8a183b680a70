"""What a load reads: the members of a file that was opened, or of a compile of this process."""

from __future__ import annotations

from typing import Any, Protocol


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
