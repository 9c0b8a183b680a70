"""What was recorded of a kernel, as text and back; how two of its nodes stand to each other."""

from __future__ import annotations

import base64
import zlib

import pytest

from ipy_fastcompile import explained
from ipy_fastcompile.explained import (
    NOT_RECORDED,
    DiffLine,
    Explained,
    FusedGroup,
    PassRecord,
    Refusal,
    ScheduledNode,
    read_explained,
)
from ipy_fastcompile.fused import APART, FUNCTION, LOOPS, SAME, answers, find_nodes, meaning
from ipy_fastcompile.records import Source
from tests.unit.show.small_explained import DEPS, EXTERN, SMALL


def test_a_record_comes_back_equal() -> None:
    assert read_explained(SMALL.packed()) == SMALL
    assert read_explained(Explained().packed()) == Explained()


def test_no_text_is_no_record() -> None:
    assert read_explained("") is NOT_RECORDED


@pytest.mark.parametrize(
    "text",
    [
        "no base85 \x00",
        base64.b85encode(b"not deflated").decode(),
        SMALL.packed()[:-10],
        base64.b85encode(zlib.compress(b"[1, 2]")).decode(),
        base64.b85encode(zlib.compress(b'{"passes": 3}')).decode(),
    ],
    ids=["letters", "deflate", "cut off", "a list", "a number"],
)
def test_a_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_explained(text)


def test_a_text_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explained, "MOST_BYTES", 1_000)
    bomb = base64.b85encode(zlib.compress(b" " * 1_001)).decode()
    with pytest.raises(ValueError, match="cut off, or over"):
        read_explained(bomb)


@pytest.mark.parametrize(
    ("names", "relation", "reasons"),
    [
        (("op0", "op1"), LOOPS, ()),
        (("sum_1", "div"), LOOPS, ()),
        (("op1", "op2"), FUNCTION, ("will create cycle", DEPS)),  # of whole groups last
        (("op0", "op2"), FUNCTION, (DEPS,)),
        (("op4", "op3"), APART, (EXTERN,)),
        (("buf0", "buf4"), APART, ()),
        (("t", "add"), SAME, ()),
    ],
)
def test_how_two_nodes_stand_to_each_other(
    names: tuple[str, str], relation: str, reasons: tuple[str, ...]
) -> None:
    (pair,) = answers(SMALL, *names)
    assert pair.relation == relation
    assert pair.reasons == reasons


def test_a_node_is_found_by_its_own_name_before_that_of_a_graph() -> None:
    assert [node.name for node in find_nodes(SMALL, "buf2")] == ["op2"]
    assert [node.name for node in find_nodes(SMALL, "permute")] == ["op2"]


def test_known_reasons_have_a_meaning_and_unknown_ones_none() -> None:
    assert "another order" in meaning(DEPS)
    assert meaning("a reason of next year") == ""


def test_what_was_recorded_comes_back_whatever_characters_are_in_it() -> None:
    source = Source("/models/\udce4\u00e4.py", 3, "forward", "x = '\u2028\ud800'")
    diff = (DiffLine("+", "mul: f32[2]", source),)
    told = Explained((PassRecord("joint_graph_passes", "mine\x00", 0.5, True, diff),))
    assert read_explained(told.packed()) == told


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
