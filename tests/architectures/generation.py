"""Models that generate -> which give eager's tokens; ``python -m tests.architectures.generation``.

A `generate` is recorded, every kind of its calls compiled into one artifact, and that reloaded in
another process without a compiler. With it installed, greedy tokens are compared with eager's, for
prompts of other lengths and batches, and the calls that each program served are counted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.architectures.each import heading, measured, parser, verdict_of
from tests.architectures.generation_models import NAMES, STATIC

COMMAND = "tests.architectures.generation"
CHILD = f"{COMMAND}_child"
ALL = (*NAMES, *(f"{name}-static" for name in STATIC))


def row(name: str, found: Mapping[str, Any]) -> str:
    """A model in one line: what became of it, and the calls that each program served."""
    served = ", ".join(f"{program}: {count}" for program, count in found.get("served", {}).items())
    return f"{name:20} {found['verdict']}" + (f"  [{served}]" if served else "")


def judge(found: Mapping[str, Any]) -> str:
    """What a table says of a model: "right", or why it is not, or not by its artifact alone."""
    verdict = verdict_of(found)
    if verdict == "right" and (own := found["own"]):
        calls = own + sum(found["served"].values())
        return f"right, {own} of {calls} calls by the model itself: {found['why']}"
    return verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each model, and the share; 1 where one is not right by its artifact."""
    options = parser(
        COMMAND,
        "Generate with compiled models, and compare the tokens with eager's.",
        f"these models; default: all of {', '.join(ALL)}",
    ).parse_args(arguments)
    names: Sequence[str] = options.names or ALL
    if unknown := [name for name in names if name not in ALL]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(ALL)}.", file=sys.stderr)
        return 2
    print(heading(COMMAND, options.names), flush=True)
    right = 0
    for name, found in measured(CHILD, names, options.keep, judge):
        right += found["verdict"] == "right"
        print(row(name, found), flush=True)
    print(f"{right} of {len(names)} generations give eager's tokens after a native reload")
    return 0 if right == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
