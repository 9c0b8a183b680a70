"""Models that generate -> which give eager's tokens; ``python -m tests.architectures.generation``.

A `generate` is recorded, every kind of its calls compiled into one artifact, and that reloaded in
another process without a compiler. With it installed, greedy tokens are compared with eager's, for
prompts of other lengths and batches.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.architectures.each import ask_each
from tests.architectures.generation_models import NAMES, STATIC

_CHILD = "tests.architectures.generation_child"
ALL = (*NAMES, *(f"{name}-static" for name in STATIC))


def measure(names: Sequence[str], folder: Path) -> dict[str, dict[str, Any]]:
    """What became of each model: ``verdict`` is "right", or says why it is not."""
    found = ask_each(_CHILD, "compile", names, folder)
    compiled = [name for name in names if "error" not in found[name]]
    with tempfile.TemporaryDirectory() as empty:
        again = ask_each(_CHILD, "reload", compiled, folder, empty)
    both = {name: found[name] | again.get(name, {}) for name in names}
    return {name: {**result, "verdict": _verdict(result)} for name, result in both.items()}


def _verdict(found: Mapping[str, Any]) -> str:
    if said := found.get("error") or found["wrong"]:
        return str(said)
    if found["ways"] != ["native"]:
        return f"right, but not native: {'; '.join(found['not native']) or found['ways']}"
    return "right"


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
            found = measure([name], Path(folder))[name]
        right += found["verdict"] == "right"
        print(
            f"{name:20} {len(found.get('programs', ()))} programs  {found['verdict']}", flush=True
        )
    print(f"{right} of {len(names)} generations give eager's tokens after a native reload")
    return 0 if right == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
