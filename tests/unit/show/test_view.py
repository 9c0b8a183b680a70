from __future__ import annotations

from dataclasses import replace

from ipy_fastcompile.records import FixedSize, Report, Source
from ipy_fastcompile.show.facts import report_facts, summary, summary_line
from ipy_fastcompile.show.fold import Item
from ipy_fastcompile.show.view import (
    code_lines,
    folded_rows,
    item_label,
    make_view,
    most_bytes,
    op_name,
    peak_bytes,
)
from tests.unit.show.sample import sample_report


def test_repeats_are_folded_by_what_they_are() -> None:
    view = make_view(sample_report(80))
    assert [item_label(view, item) for item in view.items] == [
        "submod_0",
        "[attention, layers] \u00d7 79",
        "submod_159",
        "submod_160",
    ]
    assert view.items[1] == Item(1, 2, 79)
    assert view.twins[:3] == (1, 80, 79)


def test_a_near_twin_breaks_the_pattern(near_twin_report: Report) -> None:
    view = make_view(near_twin_report)
    assert all(not item.first <= 4 < item.stop or not item.is_fold for item in view.items)


def test_rows_stand_for_every_submodule_once() -> None:
    view = make_view(sample_report(80))
    rows = folded_rows(view)
    assert sum(row.count for row in rows if row.submodule is not None) == 161
    assert [row.label for row in rows if row.is_member] == [
        "submod_1, submod_3, … submod_157",
        "submod_2, submod_4, … submod_158",
    ]


def test_weights_are_told_from_activations(report: Report) -> None:
    view = make_view(report)
    names = {report.submodules[0].inputs[i].name for i in view.weights[0]}
    assert "input_ids" not in names
    assert names == {v.name for v in report.submodules[0].inputs} - {"input_ids"}
    for submodule in report.submodules:
        produced = {v.name for i, v in enumerate(submodule.inputs) if v.name in view.producers}
        weights = {submodule.inputs[i].name for i in view.weights[submodule.index]}
        assert not produced & weights


def test_every_source_has_an_id_and_each_line_is_listed_once(report: Report) -> None:
    view = make_view(report)
    assert [view.source_ids[source] for source in view.sources] == list(range(len(view.sources)))
    assert {line.source for line in report.lines if line.source} <= view.source_ids.keys()


def test_op_names() -> None:
    assert op_name("aten.mm.default") == "mm"
    assert op_name("torch.ops.aten.mm.default") == "mm"
    assert op_name("aten::mm") == "mm"
    assert op_name("_operator.getitem") == "getitem"
    assert op_name("output") == "output"


def test_the_summary_says_what_matters(report: Report) -> None:
    facts = dict(summary(report))
    assert facts["submodules"] == "9"
    assert facts["cold"] == "17.1 s"
    assert facts["warm"] == "7.1 ms (2,415\u00d7)"
    assert summary_line(report).startswith(
        "LlamaForCausalLM · call 8.9 ms, 2.4\u00d7 faster than eager · 9 submodules · 3 kernels · "
    )
    one = replace(report, kernels=report.kernels[:1], reloads=(), artifact=None, max_error=None)
    line = summary_line(one)
    assert " · 1 kernel · " in line
    assert "warm" not in line
    assert "artifact" not in line


def test_a_hit_says_so_in_the_summary_and_notes_come_before_why_a_miss(report: Report) -> None:
    assert "cache" not in summary_line(report)
    hit = replace(report, cache="hit", why_miss=())
    assert " · cache hit · cold 17.1 s · " in summary_line(hit)
    missed = replace(report, key="5" * 64, why_miss=("one differs",), notes=("left out",))
    facts = report_facts(missed)
    assert facts.index("left out") < facts.index("why a miss: one differs")


def test_the_peak_counts_what_only_a_kernel_sees(report: Report) -> None:
    assert peak_bytes(report) == report.predicted_peak
    assert peak_bytes(report) > max(line.live_bytes for line in report.lines)
    freeing = next(line for line in report.lines if line.kind == "del")
    assert freeing.peak_bytes > freeing.live_bytes == most_bytes(freeing)


def test_a_profile_is_told(report: Report, near_twin_report: Report) -> None:
    told = next(fact for fact in report_facts(report) if fact.startswith("profiled"))
    assert told.startswith("profiled at seq = 16: a call takes 8.9 ms, median of 20 runs after 3;")
    assert not any(fact.startswith("profiled") for fact in report_facts(near_twin_report))


def test_sizes_that_might_have_varied_are_told_with_the_line_that_fixed_them(
    report: Report,
) -> None:
    line = Source("/models/llama.py", 12, "forward", "x = x.view(8, -1)")
    fixed = (
        FixedSize(("cache.keys", "cache.values"), 1, 8, "the model fixes it", line),
        FixedSize(("cache.length",), None, 3, "the model fixes it"),
    )
    facts = report_facts(replace(report, fixed=fixed))
    assert (
        "fixed: dimension 1 of cache.keys and 1 more, always 8: the model fixes it"
        " (llama.py:12: x = x.view(8, -1))"
    ) in facts
    assert "fixed: cache.length, always 3: the model fixes it" in facts


def test_lines_of_the_execution_code(report: Report, empty_report: Report) -> None:
    assert len(code_lines(report)) == len(report.lines)
    assert code_lines(empty_report) == [""]
