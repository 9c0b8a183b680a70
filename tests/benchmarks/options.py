"""What was asked of a run of the bench, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What was asked on the command line; ``runs`` None means each part's own default."""

    folder: Path
    runs: int | None = None
    timeout: float = 900.0
    inductor_cache: Path | None = None
    device: str = "cpu"
    dtype: str = "float32"
    hidden: int = 64
    quiet: bool = False
    command: str = ""
