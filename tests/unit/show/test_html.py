from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.html import render_html
from tests.unit.show.golden import check_golden
from tests.unit.show.sample import sample_report

# What an untrusted JupyterLab and GitHub let through.
TAGS = {
    "div", "span", "b", "br", "p", "pre", "table", "thead", "tbody", "tr", "th", "td",
    "details", "summary", "img",
}  # fmt: skip
ATTRIBUTES = {"style", "scope", "open", "alt", "src"}
# What they may drop: without it a page is scrolled by mouse alone.
DROPPED = {"tabindex"}


class Walker(HTMLParser):
    """Collects tags and attributes; fails on what does not nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in {"br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def walk(html: str) -> Walker:
    walker = Walker()
    walker.feed(html)
    walker.close()
    assert walker.open == []
    return walker


def test_golden(report: Report) -> None:
    # A line for each block makes the file, and its diff, readable; Graphviz' coordinates differ
    # from version to version.
    html = re.sub(r"(?<=base64,)[^\"]*", "", render_html(report))
    check_golden("report.html", re.sub(r"(?<=</tr>)|(?<=</details>)|(?<=</div>)", "\n", html))


@pytest.mark.parametrize("name", ["report", "near_twin_report", "hostile_report", "empty_report"])
def test_only_what_sanitizers_keep(name: str, request: pytest.FixtureRequest) -> None:
    walker = walk(render_html(request.getfixturevalue(name)))
    assert walker.tags <= TAGS
    assert {key for key, _ in walker.attributes} <= ATTRIBUTES | DROPPED
    for key, value in walker.attributes:
        if key == "src":
            assert (value or "").startswith("data:image/svg+xml;base64,")
        if key == "style":
            assert "url(" not in (value or "")
            assert "expression" not in (value or "")


def test_hostile_strings_are_text_and_inert(hostile_report: Report) -> None:
    html = render_html(hostile_report)
    assert "<script" not in html
    assert "<img src=x" not in html
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]", html
    )
    html.encode("utf-8")
    assert "<script>alert(1)</script>" in "".join(walk(html).text)


def test_the_drawing_is_an_image_with_a_text_of_its_own(report: Report) -> None:
    attributes = walk(render_html(report)).attributes
    pattern = "submod_0, [attention, layers] \u00d7 3, submod_7, submod_8"
    assert ("alt", f"Split graph: {pattern}") in attributes
    source = next(value for key, value in attributes if key == "src")
    svg = base64.b64decode((source or "").split(",")[1])
    assert ET.fromstring(svg).tag.endswith("svg")


def test_everything_promised_is_in_it(report: Report) -> None:
    text = "".join(walk(render_html(report)).text)
    for words in (
        "capture",
        "12.6 s",
        "follows a splitting op",
        "[attention, layers] \u00d7 3",
        "K1",
        "hidden_1, query_1, key_1, value_1 = kernels[1]",
        "▲",
        "made from the artifact's parameter specifications",
        "Warm reload as shipped",
        "failed: InvalidCxxCompiler",
        "why a miss: model.config.hidden_size: 32 -> 64",
        "All that differs from the nearest entry, 5 lines",
        "model.model.norm.normalized_shape: 32 -> 64",
        "aten::_weight_int8pack_mm has no public twin",
    ):
        assert words in text


def test_near_twins_and_their_cost(near_twin_report: Report) -> None:
    text = "".join(walk(render_html(near_twin_report)).text)
    assert "near-twin: same ops as kernel 1 (submod_2), but node add_1: float 1e-05" in text
    assert "Sharing would save 5.1 s and 216 kB." in text


def test_bars_are_to_scale(report: Report) -> None:
    html = render_html(report)
    capture = next(row for row in html.split("<tr") if ">capture<" in row)
    width = float(re.search(r"width:([\d.]+)px", capture)[1])  # type: ignore[index]
    assert width == pytest.approx(160 * 12.6 / report.cold_seconds, abs=0.1)


def test_size_does_not_grow_with_the_layers() -> None:
    small, large = (len(render_html(sample_report(n)).encode()) for n in (80, 320))
    assert small < 100_000
    assert large < 1.2 * small
