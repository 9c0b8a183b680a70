from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ipy_fastcompile.records import Report, Value
from ipy_fastcompile.show.content import UnknownKey
from ipy_fastcompile.show.draw import draw_split
from ipy_fastcompile.show.explorer import Explorer
from ipy_fastcompile.show.facts import alarms, notes, report_facts, summary, summary_line
from ipy_fastcompile.show.html import render_html
from ipy_fastcompile.show.overview import START_BUDGET
from ipy_fastcompile.show.program_contents import ProgramContents
from ipy_fastcompile.show.programs import also_in, inputs_line, program_views
from ipy_fastcompile.show.text import render_text
from tests.unit.show.conftest import HOSTILE, poison
from tests.unit.show.golden import check_golden
from tests.unit.show.sample import sample_report
from tests.unit.show.sample_graph import tensor
from tests.unit.show.sample_programs import sample_programs


@pytest.fixture(scope="module")
def programs() -> Report:
    return sample_programs(4)


def test_golden(programs: Report) -> None:
    check_golden("report_programs.txt", render_text(programs))


def test_the_summary_is_of_the_whole(programs: Report) -> None:
    facts = dict(summary(programs))
    assert facts["programs"] == "2"
    assert facts["submodules"] == "16"
    assert facts["kernels"] == "5"  # three each, of which one is the same
    assert facts["call"] == "8.9 ms, 2.4\u00d7 faster than eager in call_0"
    assert " · 2 programs · 16 submodules · " in summary_line(programs)
    assert not any(fact.startswith("sizes:") for fact in report_facts(programs))


def test_kernels_are_the_same_whatever_their_number(programs: Report) -> None:
    first, second = programs.programs
    assert also_in(programs.programs) == ({0: "also in call_1"}, {0: "also in call_0"})
    moved = replace(second.kernels[0], index=2)
    renumbered = replace(second, kernels=(replace(second.kernels[2], index=0), moved))
    third = replace(first, name="call_2")
    assert also_in((first, renumbered, third)) == (
        {0: "also in call_1 as K2, call_2", 1: "also in call_2", 2: "also in call_2"},
        {2: "also in call_0 as K0, call_2 as K0"},
        {0: "also in call_0, call_1 as K2", 1: "also in call_0", 2: "also in call_0"},
    )
    compiled_apart = replace(second.kernels[0], output_code="pass")
    assert also_in((first, replace(second, kernels=(compiled_apart,)))) == ({}, {})


def test_shared_kernels_are_marked_in_the_split_graph(programs: Report) -> None:
    first, _ = program_views(programs)
    assert draw_split(first).svg.count("\u2229") == 1
    every = {kernel.index: "also in call_1" for kernel in first.report.kernels}
    svg = draw_split(replace(first, also=every)).svg
    assert "\u25a0K1 \u2229" in svg  # in a fold, too


def test_a_cache_is_few_words_among_the_inputs() -> None:
    layers = [
        tensor(f"past_key_values.layers[{n}].{part}", (1, 4, "seq", 64))
        for n in range(16)
        for part in ("keys", "values")
    ]
    assert inputs_line([tensor("input_ids", (1, 1), dtype="int64"), *layers]) == (
        "input_ids i64[1, 1], past_key_values.layers[*].keys f32[1, 4, seq, 64] \u00d7 16, "
        "past_key_values.layers[*].values f32[1, 4, seq, 64] \u00d7 16"
    )
    assert inputs_line([]) == "no inputs"


def test_of_plain_data_only_arguments_are_among_the_inputs() -> None:
    values = [
        tensor("input_ids", (1, "seq"), dtype="int64"),
        Value("cache.layers[0].seen", "int", text="7"),
        Value("mask", "none", text="None"),
        Value("use_cache", "bool", text="True"),
    ]
    assert inputs_line(values) == "input_ids i64[1, seq], use_cache=True"


def test_what_is_a_program_s_own_is_told_under_its_name(programs: Report) -> None:
    first, second = programs.programs
    second = replace(second, notes=("left out",), difference="output 0 differs")
    first = replace(first, notes=("a guess",))
    report = replace(
        programs, programs=(first, second), notes=("a guess", "of all"), alarms=("look here",)
    )
    assert alarms(report) == ("look here", "call_1: output 0 differs")
    assert alarms(replace(report, difference="call_1: output 0 differs")) == (
        "call_1: output 0 differs",
        "look here",
    )
    assert notes(report) == ("of all", "call_0: a guess", "call_1: left out")
    assert "of all" in report_facts(report)
    assert "a guess" not in report_facts(report)
    text = render_text(report)
    assert text.index("a guess") > text.index("Program call_0")
    assert text.index("left out") > text.index("Program call_1")


def test_every_key_of_every_program_has_an_answer(programs: Report) -> None:
    contents = ProgramContents(program_views(programs))
    keys = list(contents.keys())
    assert len(keys) == len(set(keys))
    assert {"split:", "1/split:", "graph:3", "1/graph:3"} <= set(keys)
    for key in (*keys, *contents.texts()):
        json.dumps(contents.answer(key), allow_nan=False).encode("ascii")
    assert contents.answer("1/text:execution")["text"] == programs.programs[1].execution_code


@pytest.mark.parametrize("key", ["2/split:", "0/split:", "-1/split:", "x/split:", "1/graph:99"])
def test_what_no_program_has_is_refused(programs: Report, key: str) -> None:
    with pytest.raises(UnknownKey):
        ProgramContents(program_views(programs)).answer(key)


def test_a_single_program_asks_for_no_chooser(report: Report) -> None:
    assert Explorer(report).data["programs"] == []
    assert all("/" not in key for key in Explorer(report).data["start"])


def test_the_state_has_what_is_listed_of_every_program(programs: Report) -> None:
    data = Explorer(programs).data
    assert len(data["submodules"]["name"]) == 9
    first, second = data["programs"]
    assert first["own"] == {}
    assert first["label"] == first["title"] == "call_0: input_ids i64[1, seq]"
    assert second["label"] == "call_1: input_ids i64[1, 1], past_key_values.la…"
    assert second["title"].endswith("past_key_values.layers[*].keys f32[1, 4, seq, 16]")
    assert len(second["own"]["submodules"]["name"]) == 7
    assert second["own"]["kernels"][0]["also"] == "also in call_0"
    assert "1/split:" in data["start"]


def test_the_saved_state_stays_small() -> None:
    explorer = Explorer(sample_programs(80))
    assert len(json.dumps(explorer.data["start"])) <= START_BUDGET
    assert len(json.dumps(explorer.get_state()).encode()) < 330_000


def test_a_section_for_each_program_is_folded(programs: Report) -> None:
    html = render_html(programs)
    assert html.count(">Program call_") == 2
    for name in ("call_0", "call_1"):
        head = html[: html.index(f"Program {name}")]
        assert not head.rpartition("<details")[2].startswith(" open")
    assert html.count("Stages of the cold compile") == 1


def test_hostile_names_are_inert() -> None:
    report = poison(sample_programs(2))
    assert report.programs[1].name == f"{HOSTILE}call_1"
    for text in (render_html(report), json.dumps(Explorer(report).get_state()["data"])):
        assert "\u202e" not in text
        assert "<img src=x" not in render_html(report)


def test_one_program_in_a_list_of_one_looks_the_same_but_for_its_name() -> None:
    alone = sample_report(2)
    assert render_text(replace(alone, name="call_0")) == render_text(alone)
