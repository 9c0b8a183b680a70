from __future__ import annotations

import os
import re
from xml.etree import ElementTree as ET

import pytest

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.draw import draw_graph, draw_split, graph_edges, node_kinds
from ipy_fastcompile.show.layout import has_graphviz, lay_out
from ipy_fastcompile.show.svg import BOX
from ipy_fastcompile.show.view import make_view
from tests.unit.show.sample import sample_report

SVG = "{http://www.w3.org/2000/svg}"


def test_graphviz_is_here() -> None:
    assert has_graphviz()


def test_ranks_go_down_and_boxes_do_not_overlap() -> None:
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)]
    layout = lay_out(4, edges, size=(100, 30))
    for tail, head in edges:
        assert layout.boxes[tail][1] + 30 < layout.boxes[head][1]
    (x1, y1), (x2, y2) = layout.boxes[1], layout.boxes[2]
    assert y1 == y2
    assert abs(x1 - x2) >= 100


def test_edges_touch_their_boxes() -> None:
    edges = [(0, 1), (1, 2), (0, 2)]
    layout = lay_out(3, edges, size=(100, 30))
    for (tail, head), points in zip(edges, layout.edges, strict=True):
        assert points[0][1] == pytest.approx(layout.boxes[tail][1] + 30)
        assert points[-1][1] == pytest.approx(layout.boxes[head][1])
        assert len(points) % 3 == 1


def test_a_tall_graph_has_straight_ranks() -> None:
    # dot prints five digits; without correction boxes of one rank would differ by several points.
    count = 600
    layout = lay_out(count, [(n, n + 1) for n in range(count - 1)], size=(100, 30))
    steps = {round(b[1] - a[1], 6) for a, b in zip(layout.boxes, layout.boxes[1:], strict=False)}
    assert len(steps) == 1


def test_nothing_to_draw_is_an_empty_layout() -> None:
    assert lay_out(0, [], size=(100, 30)).boxes == ()
    assert len(lay_out(1, [], size=(100, 30)).boxes) == 1


def test_graphviz_says_nothing_on_file_descriptor_2(capfd: pytest.CaptureFixture[str]) -> None:
    # A kernel copies the descriptor into the cell; pygraphviz warns above 1,000 nodes.
    lay_out(1_001, [(n, n + 1) for n in range(1_000)], size=(100, 30))
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_the_split_graph_is_one_xml_document_with_a_box_for_each_item() -> None:
    view = make_view(sample_report(80))
    drawing = draw_split(view)
    root = ET.fromstring(drawing.svg)
    boxes = [g for g in root.iter(f"{SVG}g") if "data-i" in g.attrib]
    assert [int(box.attrib["data-i"]) for box in boxes] == [0, 1, 2, 3]
    assert drawing.targets == (0, 1, 159, 160)
    assert len(draw_split(view, "all").targets) == 161
    assert len(draw_split(view, "1").targets) == 161


def test_values_that_many_read_are_noted_not_drawn() -> None:
    drawing = draw_split(make_view(sample_report(80)), "all")
    edges = re.findall(r'data-e="(\d+) (\d+)"', drawing.svg)
    from_first = [head for tail, head in edges if tail == "0"]
    assert from_first == ["1"]
    assert drawing.svg.count("← submod_0") == 79


def test_the_image_brings_its_colours_and_nothing_that_clashes() -> None:
    view = make_view(sample_report(4))
    image = draw_split(view, standalone=True).svg
    assert "<style>" in image
    for svg in (image, draw_split(view).svg):
        assert not re.search(r"\sid=|<defs|marker|<script|href", svg)


def test_a_graph_is_drawn_without_its_weights_unless_asked(report: Report) -> None:
    view = make_view(report)
    graph = report.graphs[2]
    few, all_nodes = draw_graph(view, graph), draw_graph(view, graph, weights=True)
    assert len(all_nodes.targets) == len(graph.nodes)
    hidden = {graph.nodes[n].name for n in set(all_nodes.targets) - set(few.targets)}
    assert len(hidden) == 9
    assert all(name.startswith("p_") for name in hidden)
    assert "linear +1 w" in few.svg
    assert "linear +1 w" not in all_nodes.svg


def test_every_edge_between_drawn_nodes_is_drawn(report: Report) -> None:
    graph = report.graphs[2]
    drawing = draw_graph(make_view(report), graph, weights=True)
    drawn = {
        (drawing.targets[int(a)], drawing.targets[int(b)])
        for a, b in re.findall(r'data-e="(\d+) (\d+)"', drawing.svg)
    }
    assert drawn == set(graph_edges(graph))


def test_kinds_tell_views_matmuls_and_reductions_apart(report: Report) -> None:
    graph = report.graphs[2]
    kinds = dict(
        zip((n.name for n in graph.nodes), node_kinds(make_view(report), graph), strict=True)
    )
    assert kinds["linear"] == "heavy"
    assert kinds["mean"] == "reduce"
    assert kinds["transpose"] == "view"
    assert kinds["mul"] == "point"
    assert kinds["hidden_0"] == "input"
    assert kinds["p_model_layers_0_mlp_up_proj_weight"] == "weight"
    assert kinds["output"] == "output"


def test_text_stays_inside_its_box(hostile_report: Report) -> None:
    view = make_view(hostile_report)
    for drawing in (draw_split(view), draw_graph(view, hostile_report.graphs[2])):
        root = ET.fromstring(drawing.svg)
        for text in root.iter(f"{SVG}text"):
            if text.attrib["class"] in "tu":
                assert len(text.text or "") * 7 < BOX[0] * 1.3
