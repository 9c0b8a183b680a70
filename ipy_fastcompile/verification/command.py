"""``verify PATH [OPTIONS]`` -> the report printed, and whether it passed as the exit code."""

from __future__ import annotations

import argparse
import sys

from .sizes import read_sizes
from .verify import verify


def main(arguments: list[str]) -> int:
    """``verify PATH``: print the report; 0 when it passed, 1 otherwise."""
    options = _parser().parse_args(arguments)
    report = verify(
        options.path,
        reference=options.reference,
        write_reference=options.write_reference,
        sizes=read_sizes(options.sizes),
        trust=options.trust,
    )
    sys.stdout.write(f"{report}\n")
    return 0 if report.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ipy_fastcompile verify",
        description="Check that an artifact loads and computes without compiler and cache.",
    )
    parser.add_argument("path", help="an artifact file")
    parser.add_argument("--reference", metavar="FILE", help="compare with these outputs, too")
    parser.add_argument("--write-reference", metavar="FILE", help="save the outputs of eager")
    parser.add_argument(
        "--sizes", action="append", default=[], metavar="NAME=N[,N]", help="sizes to call at"
    )
    parser.add_argument("--trust", metavar="DIGEST", help="accept exactly the file sha256:...")
    return parser
