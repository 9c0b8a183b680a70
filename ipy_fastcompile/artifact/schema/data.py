"""A manifest as JSON data -> the same, with the program of a single one under its short name."""

from __future__ import annotations

from typing import Any


class ManifestData(dict[str, Any]):
    """A manifest as it is in the file; ``["program"]`` is the first of its programs.

    Most artifacts have one program, and whoever reads a manifest asks for it by that name, which
    format 2 had for it. Nothing is written under it.
    """

    def __missing__(self, name: str) -> Any:
        programs = self.get("programs")
        if name == "program" and isinstance(programs, list) and programs:
            return programs[0]
        raise KeyError(name)
