"""what a graph and its kernels take for granted -> a refusal, where a dynamic size has no choice.

A model that fixes a size is refused while it is captured (`fixed`). Inductor may fix one later, by
conditions that no other size meets: "a multiple of 4" and "a quarter of it is 3".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import CaptureError
from ...records import Symbol
from ..calls.captured import Captured
from .conditions import Condition

# How far from the example other sizes are looked for, and which multiples of it are tried.
_FAR, _MULTIPLES = 64, 16


def check_kept(captured: Captured, conditions: Sequence[Condition], dynamic: Any) -> None:
    """Raise CaptureError naming a size that the kernels' conditions leave one value only.

    What was to vary only where it can (``"auto"``, `Dim.AUTO`) may be fixed.
    """
    if dynamic == "auto" or (isinstance(dynamic, Mapping) and "auto" in dynamic.values()):
        return
    given = set(captured.conditions)
    symbols = {s.name: s for s in captured.symbols}
    for own, name in captured.names.items():
        if name not in symbols or name == str(own):  # a name of torch's own: nobody gave one
            continue
        symbol = symbols[name]
        about = [c for c in conditions if c.symbols == {own}]
        if all(c in given for c in about):
            continue
        others = list(_others(symbol))
        if others and not any(_all_hold(about, {own: size}) for size in others):
            raise CaptureError(
                f"{symbol.name} cannot be dynamic as asked: what Inductor makes of the model "
                f"serves the size {symbol.example} only.",
                "Leave it out of `dynamic`, or compile the sizes that are needed one by one.",
            )


def _others(symbol: Symbol) -> Iterator[int]:
    example = symbol.example
    near = range(example - _FAR, example + _FAR + 1)
    multiples = [example * n for n in range(2, _MULTIPLES + 1)]
    for size in (*near, *multiples):
        if size != example and symbol.min <= size and (symbol.max is None or size <= symbol.max):
            yield size


def _all_hold(conditions: Sequence[Condition], sizes: dict[Any, int]) -> bool:
    return all(c.expression.xreplace(sizes) in (True, 1) for c in conditions)
