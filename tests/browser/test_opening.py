"""What a reader sees when something opens: the beginning, at every width, and nothing cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ipy_fastcompile.records import NodeRecord, Report, Value
from tests.browser.conftest import OpenPage, list_of
from tests.unit.show.sample import sample_report

pytestmark = pytest.mark.browser

WIDTHS = (1400, 1060, 820, 420)
LONG = (
    "cpp_fused__to_copy_add_arange_cat_cos_embedding_mean_mul_pow_rsqrt_sin_slice_sub_unsqueeze_0"
)


def wide_report() -> Report:
    """A graph that begins high above one end of a wide row of inputs."""
    report = sample_report(1)
    value = Value("x", "tensor", "float32", (1,), bytes=4, example_bytes=4)

    def node(name: str, *inputs: str) -> NodeRecord:
        op = "call_function" if inputs else "placeholder"
        target = "aten.neg.default" if inputs else name
        return NodeRecord(name, op, target, ", ".join(inputs), inputs, value)

    sides = [node(f"side_{n}") for n in range(30)]
    chain = [
        node("first"),
        *(node(f"deep_{n}", f"deep_{n - 1}" if n else "first") for n in range(9)),
    ]
    lows = [node(f"low_{n}", f"side_{n}", *(["deep_8"] if n == 0 else [])) for n in range(30)]
    ends = [node(f"end_{n}", f"low_{n}", f"low_{n + 1}") for n in range(29)]
    output = NodeRecord("output", "output", "output", "(end_28,)", ("end_28",))
    nodes = (*sides, *chain, *lows, *ends, output)
    return dataclasses.replace(
        report, graphs=(dataclasses.replace(report.graphs[0], nodes=nodes), *report.graphs[1:])
    )


def in_sight(page: Any) -> list[str]:
    """The names of the boxes that lie inside the drawing's window."""
    found: list[str] = page.locator(".fc-viewport").evaluate(
        """(viewport) => {
        const window = viewport.getBoundingClientRect();
        const isIn = (box) => {
          const r = box.querySelector("rect").getBoundingClientRect();
          return r.left >= window.left && r.right <= window.right
            && r.top >= window.top && r.top < window.bottom;
        };
        return [...viewport.querySelectorAll("[data-i]")]
          .filter((e) => e.style.display !== "none" && isIn(e))
          .map((e) => e.getAttribute("aria-label").split(",")[0]);
        }"""
    )
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_a_graph_opens_where_it_begins(
    open_page: OpenPage, write: Callable[[Report], str], width: int
) -> None:
    page = open_page(width, 900).page
    page.goto(write(wide_report()))
    list_of(page).get_by_text("submod_0", exact=True).dblclick()
    page.locator(".fc-stage [data-i]:focus").wait_for()
    assert {"first", "deep_0"} <= set(in_sight(page))
    # Who walks on with the keys begins there, too.
    focused = "() => document.activeElement.getAttribute('aria-label').split(',')[0]"
    assert page.evaluate(focused) == "first"


def test_a_graph_stays_in_sight_at_another_width(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    page = open_page(1400, 900).page
    page.goto(write(wide_report()))
    list_of(page).get_by_text("submod_0", exact=True).dblclick()
    page.locator(".fc-stage [data-i]:focus").wait_for()
    for width in (420, 820, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert "first" in in_sight(page), width


def test_output_code_opens_at_call_and_the_rest_is_folded(
    open_page: OpenPage, page_80: str, report_80: Report
) -> None:
    page = open_page().page
    page.goto(page_80)
    list_of(page).get_by_text("submod_4", exact=True).click()
    for tab, choice in (("Output code", ""), ("Kernels", "Native code: what the native path runs")):
        page.get_by_role("tab", name=tab, exact=True).click()
        if choice:
            page.get_by_role("combobox").select_option(label=choice)
        code = page.locator(".fc-detail .fc-other [role=grid]")
        rows = code.locator(".fc-row")
        rows.get_by_text("def call(args):").wait_for()
        assert "def call(args):" in rows.nth(1).inner_text()
        assert not code.get_by_text("import torch", exact=True).is_visible()
        fold = code.get_by_role("button", name="imports")
        assert fold.get_attribute("aria-expanded") == "false"
        # By key: the fold is a row as any other.
        rows.nth(1).click()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        code.get_by_text("import torch", exact=True).wait_for()
        assert fold.get_attribute("aria-expanded") == "true"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
        assert not code.get_by_text("import torch", exact=True).is_visible()
        # By pointer, and twice in a row.
        fold.click()
        code.get_by_text("import torch", exact=True).wait_for()
        fold.dblclick()
        code.get_by_text("import torch", exact=True).wait_for()
        page.keyboard.press("End")
        kernel = report_80.kernels[2]
        assert str(kernel.output_code.count("\n")) in code.locator(".fc-row:focus").inner_text()


def test_a_source_line_unfolds_the_only_lines_that_stem_from_it(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    report = sample_report(2)
    kernel = report.kernels[1]
    source = kernel.output_lines[0][1]
    moved = dataclasses.replace(kernel, output_lines=((2, source),))
    kernels = (report.kernels[0], moved, *report.kernels[2:])
    page = open_page().page
    page.goto(write(dataclasses.replace(report, kernels=kernels)))
    list_of(page).get_by_text("submod_2", exact=True).click()
    page.get_by_role("tab", name="Output code").click()
    page.get_by_text("def call(args):").wait_for()
    page.get_by_role("tab", name="Nodes").click()
    nodes = page.get_by_role("grid", name="Nodes")
    nodes.locator(".fc-row").filter(has_text="linear").first.click()
    echo = page.locator(".fc-detail .fc-row.fc-echo")
    echo.wait_for()
    assert echo.inner_text().split() == ["2", "import", "torch"]


@pytest.mark.parametrize("width", WIDTHS)
def test_long_names_and_source_lines_are_read_in_full(
    open_page: OpenPage, write: Callable[[Report], str], width: int
) -> None:
    report = sample_report(2)
    sources = (dataclasses.replace(report.kernels[1].sources[0], name=LONG),)
    kernels = (
        report.kernels[0],
        dataclasses.replace(report.kernels[1], sources=sources),
        *report.kernels[2:],
    )
    page = open_page(width, 900).page
    page.goto(write(dataclasses.replace(report, kernels=kernels)))
    list_of(page).get_by_text("submod_2", exact=True).click()
    page.get_by_role("tab", name="Kernels", exact=True).click()
    name = page.locator(".fc-wholename")
    name.get_by_text(LONG).wait_for()
    page.get_by_role("tab", name="Source").click()
    page.locator(".fc-sourceline").first.click()
    assert page.locator(".fc-detail .fc-sourceline").count() > 4
    cut = "(all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"
    assert page.locator(".fc-sourceline .fc-code, .fc-where .fc-fine").evaluate_all(cut) == []
    page.get_by_role("tab", name="Kernels", exact=True).click()
    name.get_by_text(LONG).wait_for()
    assert name.evaluate("(e) => e.scrollWidth <= e.clientWidth")
    assert name.bounding_box()["x"] + name.bounding_box()["width"] <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_tab_is_in_sight(open_page: OpenPage, page_80: str, width: int) -> None:
    page = open_page(width, 900).page
    page.goto(page_80)
    for tabs in page.get_by_role("tablist").all():
        box = tabs.bounding_box()
        for tab in tabs.get_by_role("tab").all():
            own = tab.bounding_box()
            assert box["x"] <= own["x"], tab.inner_text()
            assert own["x"] + own["width"] <= box["x"] + box["width"], tab.inner_text()
            assert own["y"] + own["height"] <= box["y"] + box["height"] + 1, tab.inner_text()
    page.get_by_role("tab", name="Artifact").click()
    assert page.locator(".fc-detail [aria-label=Artifact]").last.is_visible()
