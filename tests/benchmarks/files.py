"""Where a run keeps what it makes, and the files that its results are written to and read from."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ipy_fastcompile.errors import BenchError
from tests.benchmarks.document import render


@contextlib.contextmanager
def folder_for(wanted: Path | None) -> Iterator[Path]:
    """Where artifacts and caches go: a temporary folder, unless one is named."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="fastcompile-bench-") as name:
        yield Path(name)


def check_files(options: argparse.Namespace) -> None:
    """Fail now, not after half an hour: the folders of the results exist and can be written."""
    for path in (options.json, options.markdown):
        if path is not None:
            try:
                with path.open("a"):
                    pass
            except OSError as error:
                raise BenchError(
                    f"{path} cannot be written: {error.strerror}.", "Name another file.", path=path
                ) from error


def show(file: Path, markdown: Path | None) -> int:
    try:
        document = json.loads(file.read_text("utf-8"))
        text = render(document, markdown=markdown is not None)
    except OSError as error:
        raise BenchError(f"{file} cannot be read: {error.strerror}.", "", path=file) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{file} is no result of this bench: {error}.", "Name a file that --json wrote."
        ) from error
    if markdown is not None:
        markdown.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0
