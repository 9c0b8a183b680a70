"""installed package -> lines that say which one it is: its version, the files reached in it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from hashlib import sha256
from importlib import metadata
from pathlib import Path


def package_header(package: str, files: Iterable[str]) -> list[str]:
    """The first lines of the component of a package."""
    return [f"version = {package_version(package)}", *sorted(_file_line(file) for file in files)]


def package_version(package: str) -> str:
    """What its distribution or the module itself says, "unknown" when neither does."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        version = getattr(sys.modules.get(package), "__version__", None)
        return version if isinstance(version, str) else "unknown"


def _file_line(file: str) -> str:
    path = Path(file)
    short = (
        "/".join(path.parts[path.parts.index("site-packages") + 1 :])
        if ("site-packages" in path.parts)
        else path.name
    )
    try:
        return f"file {short} = {sha256(path.read_bytes()).hexdigest()[:16]}"
    except OSError:
        return f"file {short} = unreadable"
