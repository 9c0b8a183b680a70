from __future__ import annotations

from ipy_fastcompile.explained import DiffLine, Explained, PassRecord, read_explained
from ipy_fastcompile.records import Source


def test_what_was_recorded_comes_back_whatever_characters_are_in_it() -> None:
    source = Source("/models/\udce4\u00e4.py", 3, "forward", "x = '\u2028\ud800'")
    diff = (DiffLine("+", "mul: f32[2]", source),)
    told = Explained((PassRecord("joint_graph_passes", "mine\x00", 0.5, True, diff),))
    assert read_explained(told.packed()) == told
