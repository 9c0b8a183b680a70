"""what a user says of sizes by their names -> the same, said to torch before the model runs.

A size that is left to torch has a symbol of its own wherever it stands. That two of them are equal,
or one more than the other, is then told at once, and the graph has one symbol for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...torch_compat import symbolic
from .hints import is_derived, root_of
from .wishes import Spot


def state_relations(sizes: Mapping[Spot, Any], dims: Mapping[Spot, Any]) -> None:
    """Let the symbolic ``sizes`` be what their `Dim` says of each other."""
    roots: dict[str, Any] = {}
    ordered = sorted(dims.items(), key=lambda item: (is_derived(item[1]), item[0][1] is None))
    for spot, dim in ordered:
        size: Any = sizes.get(spot)
        if not symbolic.is_symbolic_int(size):
            continue
        name, factor, offset = root_of(dim)
        if name in roots:
            bool(size == factor * roots[name] + offset)  # torch notes what it is asked
        elif factor == 1:
            roots[name] = size - offset
