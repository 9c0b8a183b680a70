"""``inspect PATH [PATH2]`` -> the summary of an artifact, or what differs between two."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str]) -> int:
    """Print what can be read without loading anything; 0, or 1 when two artifacts differ."""
    parser = argparse.ArgumentParser(
        prog="python -m ipy_fastcompile inspect",
        description="Read an artifact without loading it, or compare two.",
    )
    parser.add_argument("path", help="an artifact file")
    parser.add_argument("other", nargs="?", help="another one to compare it with")
    parser.add_argument("--text", metavar="NAME", help="print this text member instead")
    options = parser.parse_args(arguments)
    if options.other is not None:
        from .compare import compare

        comparison = compare(options.path, options.other)
        sys.stdout.write(f"{comparison}\n")
        return 0 if comparison.is_equal else 1
    from .inert import inert_lines
    from .inspect import inspect

    info = inspect(options.path)
    sys.stdout.write(f"{inert_lines(info.text(options.text)) if options.text else info}\n")
    return 0
