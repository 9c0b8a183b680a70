"""A `ForeignArtifact` -> a folder of its texts and kernel sources, for other tools.

The one direction that is safe and exact: every text is written as it was read, and nothing is run.
The names of files are made here; a stranger's name is never a path.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from ..errors import SaveError
from .records import ForeignArtifact

_SUFFIXES = {"python": ".py", "cpp": ".cpp"}
_LONGEST = 80


def export(artifact: ForeignArtifact, path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write ``record.json``, ``texts/`` and ``kernels/`` into a new folder.

    Parameters
    ----------
    artifact:
        What a reader found.
    path:
        A folder that does not exist, or is empty.

    Returns
    -------
    tuple of str
        The names of the files, relative to ``path``, in the order in which they were written.

    Raises
    ------
    SaveError
        The folder has files already, or cannot be written.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SaveError(
                f"{folder} is not empty.", "Name a folder that does not exist.", path=str(folder)
            )
        written: list[str] = []
        for part in ("texts", "kernels"):
            (folder / part).mkdir()
        for number, text in enumerate(artifact.texts):
            name = f"texts/{number:03}_{_plain(text.name)}{_SUFFIXES.get(text.language, '.txt')}"
            _write(folder, name, text.text, written)
        for number, kernel in enumerate(artifact.kernels):
            suffix = _SUFFIXES.get(kernel.language, ".txt")
            _write(
                folder, f"kernels/{number:03}_{_plain(kernel.name)}{suffix}", kernel.text, written
            )
        record = json.dumps(json.loads(artifact.to_json()), indent=1)
        _write(folder, "record.json", record + "\n", written)
    except OSError as error:
        if isinstance(error, SaveError):
            raise
        raise SaveError(
            f"{folder} cannot be written: {error.strerror or error}.",
            "Name a folder that you may write.",
            path=str(folder),
        ) from error
    return tuple(written)


def _write(folder: Path, name: str, text: str, written: list[str]) -> None:
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    written.append(name)


def _plain(name: str) -> str:
    """Letters, digits and underscores, so that no name leaves its folder or hides."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:_LONGEST] or "text"
