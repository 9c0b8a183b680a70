"""This machine -> the other Pythons on it that the package supports, and that can make a venv."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ASK = "import ensurepip, json, sys, venv; print(json.dumps([*sys.version_info[:2]]))"


@dataclass(frozen=True)
class Python:
    """An interpreter, and its version as (3, 12)."""

    path: Path
    version: tuple[int, int]

    @property
    def name(self) -> str:
        """``3.12``."""
        return ".".join(map(str, self.version))


def supported_versions() -> tuple[tuple[int, int], ...]:
    """The Pythons that pyproject.toml names, the oldest first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.findall(r'"Programming Language :: Python :: (\d+)\.(\d+)"', text)
    return tuple(sorted((int(major), int(minor)) for major, minor in found))


def other_pythons() -> list[Python]:
    """One interpreter for each supported version but this process's own, the oldest first."""
    wanted = set(supported_versions()) - {sys.version_info[:2]}
    found: dict[tuple[int, int], Python] = {}
    for path in _candidates(wanted):
        version = _version(path)
        if version in wanted:
            found.setdefault(version, Python(path, version))
    return [found[version] for version in sorted(found)]


def _candidates(wanted: set[tuple[int, int]]) -> Iterator[Path]:
    names = [f"python{major}.{minor}" for major, minor in sorted(wanted)]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob("versions/*/bin"))
    yield from (folder / name for folder in folders for name in names if (folder / name).exists())


def _version(python: Path) -> tuple[int, int] | None:
    """What it says it is; None for one that cannot make a venv, or is only pyenv's stand-in."""
    try:
        done = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    major, minor = json.loads(done.stdout)
    return major, minor
