"""What was recorded of a kernel speaks of sizes as a call named them."""

from __future__ import annotations

from ipy_fastcompile.explained import (
    DiffLine,
    Explained,
    FusedGroup,
    PassRecord,
    Refusal,
    ScheduledNode,
)
from ipy_fastcompile.records import Source


def test_sizes_are_named_in_what_is_read_and_nowhere_else() -> None:
    def told(size: str) -> Explained:
        line = DiffLine(
            "+", f"s7_1: f32[{size}, s77] = aten.add(s7_1)", Source("m.py", 1, "f", "s7")
        )
        node = ScheduledNode("s7", "pointwise", ("s7",), ("s7",), ("s7",), ("s7",), f"f32[{size}]")
        return Explained(
            passes=(PassRecord("s7", "s7", 0.0, True, (line,)),),
            nodes=(node,),
            groups=(FusedGroup(("s7",), "s7"),),
            refusals=(Refusal(("s7",), ("s7",), f"numel mismatch (64*{size}, 1)"),),
        )

    assert told("s7").with_sizes_named({"s7": "seq"}) == told("seq")
    assert told("s7").with_sizes_named({}) == told("s7")
