"""``inspect PATH [PATH2]`` -> the summary of an artifact, or what differs between two."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import MemberCorrupt, SaveError


def main(arguments: list[str]) -> int:
    """Print what can be read without loading anything; 0, or 1 when two artifacts differ."""
    parser = argparse.ArgumentParser(
        prog="python -m ipy_fastcompile inspect",
        description="Read an artifact, ours or another's, without loading it, or compare two.",
    )
    parser.add_argument("path", help="an artifact file, or a folder of a compiler's cache")
    parser.add_argument("other", nargs="?", help="another one to compare it with")
    parser.add_argument("--text", metavar="NAME", help="print this text member instead")
    parser.add_argument("--json", action="store_true", help="print JSON (others' artifacts)")
    parser.add_argument("--html", metavar="FILE", help="write an offline page (others' artifacts)")
    parser.add_argument(
        "--folder", metavar="DIR", help="write its texts and kernel sources (others' artifacts)"
    )
    options = parser.parse_args(arguments)
    if options.other is not None:
        from .compare import compare

        found: Any = compare(options.path, options.other)
        _give(found, options)
        return 0 if found.is_equal else 1
    from .inspect import inspect

    info = inspect(options.path)
    if options.text:
        from ..artifact.inert import inert_lines

        sys.stdout.write(f"{inert_lines(_text(info, options.text))}\n")
        return 0
    _give(info, options)
    return 0


def _text(info: Any, name: str) -> str:
    try:
        return str(info.text(name))
    except KeyError as error:
        raise MemberCorrupt(
            f"{info.path} has no text {name!r:.200}.",
            "The summary lists its texts.",
            path=info.path,
            member=name,
        ) from error


def _give(found: Any, options: argparse.Namespace) -> None:
    """Print it, or write it where the options say."""
    wanted = {"to_json": options.json, "to_html": options.html, "to_folder": options.folder}
    for method, value in wanted.items():
        if value and not hasattr(found, method):
            raise SaveError(
                f"{type(found).__name__} has no {method}().",
                "--json, --html and --folder are for others' artifacts.",
            )
    try:
        if options.html:
            found.to_html(options.html)
    except OSError as error:
        raise SaveError(
            f"{options.html} cannot be written: {error.strerror or error}.",
            "Name a file that you may write.",
            path=str(Path(options.html)),
        ) from error
    if options.folder:
        found.to_folder(options.folder)
    if options.json:
        sys.stdout.write(f"{found.to_json()}\n")
    elif not (options.html or options.folder):
        sys.stdout.write(f"{found}\n")
