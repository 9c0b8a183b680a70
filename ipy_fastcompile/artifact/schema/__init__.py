"""The manifest of an artifact, as records: what `pack` writes, and what everything else reads."""

from __future__ import annotations

from .read import KernelEntry, Program, read_program

__all__ = ["KernelEntry", "Program", "read_program"]
