"""Models that generate -> which give eager's tokens; ``python -m tests.architectures.generation``.

A `generate` is recorded, every kind of its calls compiled into one artifact, and that reloaded in
another process without a compiler. With it installed, greedy tokens are compared with eager's, for
prompts of other lengths and batches.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.architectures.each import measure_each
from tests.architectures.generation_models import NAMES, STATIC

CHILD = "tests.architectures.generation_child"
ALL = (*NAMES, *(f"{name}-static" for name in STATIC))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each model, and the share; 1 where one is not right."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.architectures.generation",
        description="Generate with compiled models, and compare the tokens with eager's.",
    )
    parser.add_argument(
        "--only",
        metavar="NAMES",
        default=",".join(ALL),
        help="these models, parted by commas; default: %(default)s",
    )
    names = parser.parse_args(arguments).only.split(",")
    if unknown := [name for name in names if name not in ALL]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(ALL)}.", file=sys.stderr)
        return 2
    right = 0
    for name in names:
        with tempfile.TemporaryDirectory(prefix="fastcompile-generation-") as folder:
            found = measure_each(CHILD, [name], Path(folder))[name]
        right += found["verdict"] == "right"
        print(
            f"{name:20} {len(found.get('programs', ()))} programs  {found['verdict']}", flush=True
        )
    print(f"{right} of {len(names)} generations give eager's tokens after a native reload")
    return 0 if right == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
