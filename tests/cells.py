"""The texts of cells -> the cells with their outputs, run in a real kernel that nobody looks at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


def run_cells(texts: Iterable[str], folder: Path, *, allow_errors: bool = False) -> list[Any]:
    """Run cells in a kernel that starts in a folder; an error in one is raised, or is an output."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])
    client = NotebookClient(
        notebook,
        timeout=1200,
        startup_timeout=300,
        allow_errors=allow_errors,
        resources={"metadata": {"path": folder}},
    )
    return list(client.execute().cells)
