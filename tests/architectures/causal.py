"""Causal models of transformers -> which are right; ``python -m tests.architectures.causal``.

Each is made small by its configuration, called with its defaults, compiled for any length, saved,
and reloaded in another process without a compiler. The result, its cache included, is compared
with eager's at two lengths, and so is a step of eager that is given that cache.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.architectures.each import heading, measured, parser
from tests.architectures.families import NAMES
from tests.architectures.shrink import causal_models

COMMAND = "tests.architectures.causal"
CHILD = f"{COMMAND}_child"


def row(kind: str, found: Mapping[str, Any]) -> str:
    """A model in one line."""
    served = _range(*found["served"][0]) if found.get("served") else ""
    return f"{kind:24} {found.get('cache', ''):22} {served:10} {found['verdict']}".rstrip()


def _range(least: int, most: int | None) -> str:
    return f"from {least}" if most is None else f"{least} to {most}"


def summary(results: Mapping[str, Mapping[str, Any]]) -> str:
    """How many are right, and at other lengths; and why the rest serve the example's only."""
    right = {kind: found for kind, found in results.items() if found["verdict"] == "right"}
    fixed = {kind: found["why"] for kind, found in right.items() if found["why"]}
    lines = [f"{kind} at one length: {why}" for kind, why in fixed.items()]
    others = len(right) - len(fixed)
    share = f"{len(right)} of {len(results)} models are right after a native reload"
    return "\n".join([*lines, f"{share}, {others} of them at other lengths, too"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each model, and the share; 1 where one is not right."""
    options = parser(
        COMMAND,
        "Compile causal models of transformers, and compare them with eager.",
        "these types; default: all",
    ).parse_args(arguments)
    names: Sequence[str] = options.names or NAMES
    if unknown := [name for name in names if name not in causal_models()]:
        print(f"transformers has no causal model {', '.join(unknown)}.", file=sys.stderr)
        return 2
    print(heading(COMMAND, options.names), flush=True)
    results: dict[str, Any] = {}
    for name, found in measured(CHILD, names, options.keep):
        results[name] = found
        print(row(name, found), flush=True)
    print(summary(results))
    return 0 if all(found["verdict"] == "right" for found in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
