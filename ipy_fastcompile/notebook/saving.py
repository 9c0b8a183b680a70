"""``--save`` -> the certainty, before minutes of compiling, that it can be written."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from IPython.core.error import UsageError

from ..records import Report
from .arguments import Options


def check_save_path(path: Path) -> None:
    """Raise UsageError when an artifact cannot be written to ``path``, or should not be.

    An artifact that is there may be replaced; any other file is somebody's work.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"--save {path}: there is no folder {folder}. Make it first.")
    if path.is_dir():
        raise UsageError(f"--save {path} is a folder. Name a file in it.")
    if path.exists() and not path.is_file():
        raise UsageError(f"--save {path} is not a regular file. Name another one.")
    try:
        # Asking for permissions would miss read-only and full file systems.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".fastcompile-"):
            pass
        taken = path.exists() and path.stat().st_size > 0 and not zipfile.is_zipfile(path)
    except OSError as error:
        raise UsageError(
            f"--save {path} cannot be written: {error.strerror or error}. Choose another folder."
        ) from error
    if taken:
        raise UsageError(f"--save {path} would replace a file that is no artifact. Name another.")


def check_right(report: Report, options: Options) -> None:
    """Raise UsageError when what would be saved is not what eager computes."""
    if report.difference and not options.keep_anyway:
        raise UsageError(
            f"{report.difference} Nothing was saved: --keep-anyway saves it all the same."
        )
