from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ipy_fastcompile.explained import Explained, read_explained
from ipy_fastcompile.fused import meaning
from ipy_fastcompile.records import NodeRecord, Report, Value
from ipy_fastcompile.show import graph_content
from ipy_fastcompile.show.content import Contents, UnknownKey
from ipy_fastcompile.show.documents import WINDOW
from ipy_fastcompile.show.draw import DRAW_LIMIT
from ipy_fastcompile.show.view import make_view, most_bytes
from tests.unit.show.sample import sample_report


@pytest.fixture(scope="module")
def contents(report: Report) -> Contents:
    return Contents(make_view(report))


@pytest.mark.parametrize("name", ["report", "near_twin_report", "hostile_report", "empty_report"])
def test_every_key_has_an_answer_that_is_json(name: str, request: pytest.FixtureRequest) -> None:
    contents = Contents(make_view(request.getfixturevalue(name)))
    keys = list(contents.keys())
    assert len(keys) == len(set(keys))
    for key in keys:
        json.dumps(contents.answer(key), allow_nan=False).encode("ascii")


@pytest.mark.parametrize(
    "key",
    ["", "nothing:1", "graph:99", "graph:x", "svg:-1", "code:execution:999", "code:output:77:0",
     "code:execution:-5", "sub:999", "sub:-1", "text:../../etc/passwd", "split:9:9", "code:",
     "fx:0"],
)  # fmt: skip
def test_what_is_not_there_is_refused(contents: Contents, key: str) -> None:
    with pytest.raises(UnknownKey):
        contents.answer(key)


def test_windows_of_code_join_to_the_whole(contents: Contents, report: Report) -> None:
    for name in contents.documents.names():
        lines: list[str] = []
        total = 1
        while len(lines) < total:
            number = len(lines) // WINDOW
            window: dict[str, Any] = contents.answer(f"code:{name}:{number}")
            total = window["total"]
            assert window["start"] == len(lines)
            assert len(window["text"]) == len(window["runs"]) <= WINDOW
            signs = [f"{sign} " for sign in window.get("sign", ())] or [""] * len(window["text"])
            lines += map("".join, zip(signs, window["text"], strict=True))
        assert "\n".join(lines) == contents.answer(f"text:{name}")["text"].removesuffix("\n")


def test_other_line_breaks_make_no_lines(report: Report) -> None:
    # Pygments and JavaScript break at newlines; str.splitlines at form feeds and more.
    code = "x = 1\x0c\x1c\u2028\n" * (WINDOW - 1)
    kernel = replace(report.kernels[0], output_code=code, sources=())
    contents = Contents(make_view(replace(report, kernels=(kernel, *report.kernels[1:]))))
    keys = list(contents.keys())
    assert [key for key in keys if key.startswith("code:output:0")] == ["code:output:0:0"]
    assert contents.answer("code:output:0:0")["total"] == WINDOW - 1


def test_the_margin_is_that_of_the_records() -> None:
    report = sample_report(120)
    contents = Contents(make_view(report))
    window = contents.answer("code:execution:1")
    assert window["start"] == WINDOW
    for n, live in enumerate(window["live"]):
        record = report.lines[WINDOW + n]
        assert record.line == WINDOW + n + 1
        assert (live, window["freed"][n]) == (record.live_bytes, record.freed_bytes)
        assert window["submodule"][n] == (-1 if record.submodule is None else record.submodule)
        assert window["seconds"][n] == record.seconds
    profile = contents.answer("profile:")
    assert profile["live"] == [most_bytes(record) for record in report.lines]
    assert max(profile["live"]) == report.predicted_peak


def test_lines_of_fx_code_know_their_nodes(contents: Contents, report: Report) -> None:
    window = contents.answer("code:fx:2:0")
    nodes = report.graphs[2].nodes
    named = [nodes[n].name for n in window["node"] if n >= 0]
    assert named == [node.name for node in nodes if node.op == "call_function"]


def test_output_code_leads_to_the_source(contents: Contents, report: Report) -> None:
    window = contents.answer("code:output:1:0")
    table = contents.answer("sources:")
    linear = next(n for n, text in enumerate(window["text"]) if "extern_kernels.mm" in text)
    source = window["source"][linear]
    assert table["line"][source] in {263, 164, 238, 239, 240}
    assert 2 in table["graphs"][source]


def test_a_submodule_knows_where_its_inputs_come_from(contents: Contents) -> None:
    content = contents.answer("sub:2")
    origin = {row[0]: (row[6], row[7]) for row in content["inputs"]}
    assert origin["attention_0"] == (1, "submodule")
    assert origin["hidden_0"] == (0, "submodule")
    assert origin["p_model_layers_0_mlp_up_proj_weight"] == (-1, "weight")
    assert content["twins"] == [2, 4, 6]
    assert content["kernel"]["native"] is True
    assert contents.answer("sub:1")["kernel"] is None
    first = contents.answer("sub:0")["inputs"]
    assert {row[0]: row[7] for row in first}["input_ids"] == "input"


def large_report(count: int) -> Report:
    report = sample_report(2)
    value = Value("x", "tensor", "float32", (1,), bytes=4, example_bytes=4)
    nodes = [NodeRecord("n0", "placeholder", "n0", value=value)]
    nodes += [
        NodeRecord(f"n{i}", "call_function", "aten.neg.default", f"n{i - 1}", (f"n{i - 1}",), value)
        for i in range(1, count)
    ]
    graphs = (replace(report.graphs[0], nodes=tuple(nodes)), *report.graphs[1:])
    return replace(report, graphs=graphs)


def test_a_large_graph_is_drawn_on_demand_only() -> None:
    contents = Contents(make_view(large_report(DRAW_LIMIT + 1)))
    refused = contents.answer("svg:0")
    assert refused["svg"] == ""
    assert refused["anyway"] is True
    assert "1,201 nodes" in refused["why"]
    assert len(contents.answer("svg:0:anyway")["nodes"]) == DRAW_LIMIT + 1
    assert len(contents.answer("graph:0")["name"]) == DRAW_LIMIT + 1


def test_past_the_last_limit_there_is_the_table_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_content, "FORCED_LIMIT", 1_500)
    contents = Contents(make_view(large_report(1_501)))
    assert contents.answer("svg:0")["anyway"] is False
    assert contents.answer("svg:0:anyway")["svg"] == ""


def test_without_pygraphviz_there_are_reasons_in_place_of_drawings(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_content, "has_graphviz", lambda: False)
    contents = Contents(make_view(report))
    for key in ("split:", "svg:0"):
        answer = contents.answer(key)
        assert answer["svg"] == ""
        assert "pip install pygraphviz" in answer["why"]
    assert contents.answer("split:")["first"] == [0, 1, 7, 8]


def test_a_kernel_knows_its_passes_and_what_they_changed(
    contents: Contents, report: Report
) -> None:
    content = contents.answer("passes:1")
    passes = read_explained(report.kernels[1].explained).passes
    assert len(content["changed"]) + len(content["unchanged"]) == len(passes) == 7
    assert [one["name"] for one in content["changed"]] == ["mm_of_linear", "tests.my_pass"]
    assert (content["changed"][0]["added"], content["changed"][0]["removed"]) == (2, 1)
    assert [one["more"] for one in content["changed"]] == ["", "; 12 more lines not kept"]
    assert content["note"] == "7 passes in 1.5 ms, 2 of which changed the graph."
    window = contents.answer("code:pass:1:0:0")
    removed = window["sign"].index("-")
    table = contents.answer("sources:")
    assert table["line"][window["source"][removed]] == 263
    assert window["text"][removed].endswith("self.o_proj(attn_output)")
    assert contents.answer("text:pass:1:0")["text"].count("\n+ ") == 2


def test_a_kernel_knows_what_was_fused_and_what_was_not(contents: Contents, report: Report) -> None:
    content = contents.answer("fusion:1")
    explained = read_explained(report.kernels[1].explained)
    nodes = content["nodes"]
    assert nodes["name"] == [node.name for node in explained.nodes]
    for group in explained.groups:
        (number,) = {nodes["group"][nodes["name"].index(name)] for name in group.nodes}
        assert content["groups"][number] == group.kernel
    assert len(content["refusals"]) == len(explained.refusals) > 3
    for (first, second, reason), refusal in zip(
        content["refusals"], explained.refusals, strict=True
    ):
        assert tuple(nodes["name"][n] for n in first) == refusal.first
        assert tuple(nodes["name"][n] for n in second) == refusal.second
        assert content["reasons"][reason] == [refusal.reason, meaning(refusal.reason)]
    reasons, buffers = content["tables"]
    assert sum(int(row[0]) for row in reasons["rows"]) == len(explained.refusals)
    assert buffers["title"] == f"{len(buffers['rows'])} buffers"
    assert content["note"].endswith("3 more refusals not kept.")


def test_a_scheduled_node_leads_to_its_source_line(contents: Contents, report: Report) -> None:
    nodes, table = contents.answer("fusion:1")["nodes"], contents.answer("sources:")
    explained = read_explained(report.kernels[1].explained)
    for number, node in enumerate(explained.nodes):
        assert node.source is not None
        assert table["line"][nodes["source"][number]] == node.source.line
        assert nodes["place"][number].startswith(f"modeling_llama.py:{node.source.line}: ")


def test_what_was_not_recorded_says_so(report: Report) -> None:
    told = "Inductor took it out of its own cache."
    packed = Explained(missing=told).packed()
    for text, said in ((packed, told), ("", "recorded none"), (packed[:-9], "cut off")):
        kernels = tuple(replace(kernel, explained=text) for kernel in report.kernels)
        contents = Contents(make_view(replace(report, kernels=kernels)))
        for key in ("passes:0", "fusion:0"):
            assert said in contents.answer(key)["why"]
        assert not any(":pass:" in key for key in list(contents.keys()))
