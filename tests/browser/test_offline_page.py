"""The offline page, opened from disk: the same front end as the widget, without a server."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from ipy_fastcompile.records import NodeRecord, Report, Value
from ipy_fastcompile.show.draw import DRAW_LIMIT
from tests.browser.conftest import OpenPage, violations
from tests.unit.show.conftest import poison
from tests.unit.show.sample import sample_report

pytestmark = pytest.mark.browser


def tree(page: Any) -> Any:
    return page.get_by_role("treegrid", name="Submodules")


def rows(page: Any) -> list[str]:
    names = tree(page).locator(".fc-row .fc-col-name").all_inner_texts()
    return [" ".join(name.split()) for name in names]


def chosen(page: Any) -> list[str]:
    return list(tree(page).locator(".fc-row.fc-on .fc-col-name").all_inner_texts())


def status(page: Any) -> Any:
    return page.locator(".fc-status")


def unfold(page: Any) -> None:
    tree(page).locator(".fc-fold").first.dblclick()


def test_it_opens_without_a_network(open_page: OpenPage, page_80: str) -> None:
    watched = open_page(offline=True)
    watched.page.goto(page_80)
    assert watched.page.get_by_text("161 submodules", exact=True).is_visible()
    assert "[attention, layers] \u00d7 77" in " ".join(rows(watched.page))
    assert watched.page.locator(".fc-stage svg [data-i]").count() == 8
    assert watched.requests == [page_80]


def test_filter_sort_and_unfold(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    assert len(rows(page)) == 8
    field = page.get_by_role("searchbox", name=re.compile("Filter submodules"))
    field.fill("k2")
    assert rows(page) == ["submod_4"]
    field.fill("no such thing")
    assert page.get_by_text("No submodule matches the filter.").is_visible()
    field.fill("")
    header = tree(page).get_by_role("columnheader", name="Nodes")
    header.get_by_role("button").click()
    assert rows(page)[0] == "submod_2"
    assert header.get_attribute("aria-sort") == "descending"
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    header.get_by_role("button").click()
    assert len(rows(page)) == 8
    unfold(page)
    assert "submod_5" in rows(page)
    assert tree(page).get_attribute("aria-rowcount") == str(8 + 154 + 1)


def test_by_keyboard_alone(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    press = page.keyboard.press
    page.locator(".fc-root button").first.focus()
    press("/")
    page.keyboard.type("submod_6")
    press("ArrowDown")
    press("ArrowDown")
    press("Home")
    assert chosen(page) == ["submod_6"]
    # Enter opens its graph and takes the focus there; arrows walk along edges.
    press("Enter")
    active = page.locator(".fc-stage [data-i]:focus")
    active.wait_for()
    before = active.get_attribute("aria-label")
    press("ArrowDown")
    assert active.get_attribute("aria-label") != before
    assert active.get_attribute("aria-pressed") == "true"
    # Enter on a node shows its source line.
    press("Enter")
    page.locator(".fc-sourceline.fc-on").wait_for()
    assert page.get_by_role("tab", name="Source").get_attribute("aria-selected") == "true"
    # Escape goes up: graph, split graph, list.
    press("Escape")
    page.locator(".fc-stage [data-i]:focus").wait_for()
    assert page.get_by_role("tab", name="Split graph").get_attribute("aria-selected") == "true"
    press("Escape")
    assert tree(page).locator(".fc-row:focus").count() == 1
    press("]")
    assert "submod_7" in status(page).inner_text()
    press("[")
    assert "submod_6" in status(page).inner_text()
    press("?")
    assert page.get_by_text("Keys, while the focus is inside").is_visible()
    press("Escape")
    assert not page.get_by_text("Keys, while the focus is inside").is_visible()


def test_every_control_is_reached_by_tab(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    page.locator("body").focus()
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        label = page.evaluate(
            "(e => e.ariaLabel || e.title || e.textContent)(document.activeElement)"
        )
        if label in seen[:1]:
            break
        seen.append(label)
    joined = " | ".join(seen)
    for words in (
        "reload",
        "Filter submodules",
        "Sort by",
        "Split graph",
        "Zoom in",
        "Execution code",
    ):
        assert words.lower() in joined.lower(), (words, joined)
    # Lists and drawings are one stop each.
    assert len(seen) < 40


def test_from_a_line_to_a_node_to_a_source_line(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    code = page.get_by_role("grid", name="Execution code")
    line = (
        code.locator(".fc-row").filter(has_text="hidden_2, query_2, key_2, value_2 = kernels").first
    )
    line.click()
    assert line.get_attribute("aria-selected") == "true"
    assert chosen(page) == ["submod_4"]
    assert code.locator(".fc-row.fc-lit").count() >= 1
    page.get_by_role("tab", name="Graph", exact=True).click()
    node = page.locator(".fc-stage [aria-label^='linear_1,']")
    node.click()
    page.get_by_role("tab", name="Source").click()
    source = page.locator(".fc-sourceline.fc-on")
    assert "self.gate_proj" in source.inner_text() or "down_proj" in source.inner_text()
    # And back: another source line lights its nodes, its FX lines, its lines of output code.
    page.locator(".fc-sourceline").filter(has_text="self.o_proj").click()
    assert page.locator(".fc-stage .n.fc-echo").count() == 1
    page.get_by_role("tab", name="FX graph").click()
    assert page.get_by_role("grid", name="FX graph").locator(".fc-row.fc-echo").count() == 1
    page.get_by_role("tab", name="Output code").click()
    output = page.get_by_role("grid", name=re.compile("Inductor output code"))
    output.locator(".fc-row.fc-echo").first.wait_for()
    assert "extern_kernels.mm" in " ".join(output.locator(".fc-row.fc-echo").all_inner_texts())
    # Twins hold the same source line.
    assert tree(page).locator(".fc-row.fc-echo").count() >= 1


def test_a_line_of_an_inlined_function_leads_to_its_node(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    code = page.get_by_role("grid", name="Execution code")
    code.locator(".fc-row").filter(has_text="torch.ops.aten.scaled_dot_product").first.dblclick()
    page.locator(".fc-stage .n.fc-on").wait_for()
    assert "scaled_dot_product" in page.locator(".fc-inspector").inner_text()
    page.get_by_role("tab", name="Kernels", exact=True).click()
    assert page.get_by_text("submod_1 has no kernel").is_visible()


def test_kernels_values_and_artifact(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    tree(page).get_by_text("submod_4", exact=True).click()
    page.get_by_role("tab", name="Kernels", exact=True).click()
    page.get_by_text("#pragma omp parallel").wait_for()
    page.get_by_role("combobox").select_option(label="Native code: what the native path runs")
    page.get_by_text("def call(args):").wait_for()
    page.get_by_role("tab", name="In/out").click()
    page.get_by_text("13 inputs").wait_for()
    page.get_by_role("button", name="submod_3", exact=True).click()
    assert chosen(page) == ["submod_3"]
    tree(page).get_by_text("submod_4", exact=True).click()
    page.get_by_role("tab", name="Artifact").click()
    page.get_by_text("Near-twin.").wait_for()
    text = page.locator(".fc-detail").inner_text()
    assert "Sharing a kernel would have saved 5.1 s and 216 kB" in text
    assert "native: from bundled binaries alone" in text
    assert "signed with this user's key" in text


def test_the_margin_shows_the_peak_and_frees(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    page.get_by_role("button", name=re.compile("Peak")).click()
    row = page.locator(".fc-codeview .fc-row:focus")
    row.wait_for()
    assert row.locator(".fc-peak").count() == 1
    assert "▲" in row.inner_text()
    freed = page.locator(".fc-freed").first
    assert "frees" in (freed.get_attribute("title") or "")


def test_all_code_is_reached_by_scrolling(
    open_page: OpenPage, page_80: str, report_80: Report
) -> None:
    page = open_page().page
    page.goto(page_80)
    code = page.get_by_role("grid", name="Execution code")
    code.locator(".fc-row").first.focus()
    page.keyboard.press("End")
    last = page.locator(".fc-codeview .fc-row:focus")
    assert str(len(report_80.lines)) in last.inner_text()
    assert "return (logits,)" in last.inner_text()
    # Only what is in sight is in the page.
    assert code.locator(".fc-row").count() < 100


def test_zoom_takes_ctrl_and_the_wheel_alone_scrolls(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    tree(page).get_by_text("submod_4", exact=True).dblclick()
    box = page.locator(".fc-viewport")
    box.hover()
    page.mouse.wheel(0, 300)
    zoom = page.locator(".fc-zoom")
    assert zoom.inner_text() == "100%"
    page.keyboard.down("Control")
    page.mouse.wheel(0, 300)
    page.keyboard.up("Control")
    page.locator(".fc-zoom:not(:text-is('100%'))").wait_for()
    assert int(zoom.inner_text().rstrip("%")) < 100
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("button", name="Zoom in").click()
    page.locator(".fc-stage [data-i]").first.focus()
    page.keyboard.press("0")
    assert zoom.inner_text() == "100%"


def test_focus_view_and_search(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    tree(page).get_by_text("submod_4", exact=True).dblclick()
    page.locator(".fc-stage [aria-label^='silu,']").click()
    count = page.locator(".fc-stage [data-i]:visible").count()
    page.get_by_role("button", name="Focus", exact=True).click()
    assert 3 < page.locator(".fc-stage [data-i]:visible").count() < count
    assert page.locator(".fc-stage [aria-label^='silu,']").is_visible()
    page.get_by_role("button", name="Focus", exact=True).click()
    assert page.locator(".fc-stage [data-i]:visible").count() == count
    page.get_by_role("searchbox", name=re.compile("Search in Graph")).fill("rsqrt")
    assert page.locator(".fc-stage .fc-hit").count() == 2
    page.keyboard.press("Enter")
    assert "rsqrt" in page.locator(".fc-inspector").inner_text()
    page.get_by_role("button", name="Weights").click()
    page.locator(".fc-stage .weight").first.wait_for()
    assert page.locator(".fc-stage [data-i]").count() == 59


def test_the_table_does_what_the_drawing_does(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    tree(page).get_by_text("submod_4", exact=True).click()
    page.get_by_role("tab", name="Nodes").click()
    table = page.get_by_role("grid", name="Nodes")
    page.get_by_role("searchbox", name=re.compile("Search nodes")).fill("matmul")
    table.locator(".fc-row").first.wait_for()
    assert all("linear" in text for text in table.locator(".fc-row").all_inner_texts())
    page.get_by_role("searchbox", name=re.compile("Search nodes")).fill("")
    table.get_by_text("silu", exact=True).click()
    assert "silu" in page.locator(".fc-inspector").inner_text()
    page.keyboard.press("ArrowRight")
    assert "mul_2" in page.locator(".fc-inspector strong").inner_text()
    page.keyboard.press("ArrowLeft")
    assert "silu" in page.locator(".fc-inspector strong").inner_text()


def test_the_warm_reload_is_there_and_cannot_run_here(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    page.goto(page_80)
    page.get_by_role("button", name="Warm reload").click()
    drawer = page.get_by_role("region", name="Warm reload")
    assert "166\u00d7 less than fx" in drawer.inner_text()
    assert drawer.get_by_role("button", name="Run again").is_disabled()
    switch = drawer.get_by_role("switch", name="As shipped")
    assert switch.get_attribute("aria-checked") == "false"
    switch.click()
    assert switch.get_attribute("aria-checked") == "true"
    assert "InvalidCxxCompiler" in drawer.inner_text()


def test_a_large_graph_opens_as_a_table_and_is_drawn_when_asked(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    report = sample_report(1)
    value = Value("x", "tensor", "float32", (1,), bytes=4, example_bytes=4)
    nodes = [NodeRecord("n0", "placeholder", "n0", value=value)] + [
        NodeRecord(f"n{i}", "call_function", "aten.neg.default", f"n{i - 1}", (f"n{i - 1}",), value)
        for i in range(1, DRAW_LIMIT + 2)
    ]
    graphs = (dataclasses.replace(report.graphs[0], nodes=tuple(nodes)), *report.graphs[1:])
    page = open_page().page
    page.goto(write(dataclasses.replace(report, graphs=graphs)))
    tree(page).get_by_text("submod_0", exact=True).dblclick()
    page.get_by_text("Too large for a quick drawing").wait_for()
    # The page has no Python to draw it; it says so instead of staying empty.
    page.get_by_role("button", name="Draw anyway").click()
    page.get_by_text("too large for the page").wait_for()
    page.get_by_role("tab", name="Nodes").click()
    assert page.get_by_role("grid", name="Nodes").get_attribute("aria-rowcount") == str(
        DRAW_LIMIT + 3
    )


def test_a_partial_compile_is_told(open_page: OpenPage, write: Callable[[Report], str]) -> None:
    report = dataclasses.replace(sample_report(1), notes=("submod_2 runs uncompiled: no luck",))
    page = open_page().page
    page.goto(write(report))
    assert page.locator(".fc-warn").all_inner_texts() == ["submod_2 runs uncompiled: no luck"]
    assert (
        "cache miss: model.config.hidden_size: 32 -> 64" in page.locator(".fc-state").inner_text()
    )


def test_nothing_compiled_has_a_face(open_page: OpenPage, write: Callable[[Report], str]) -> None:
    report = dataclasses.replace(
        sample_report(1),
        submodules=(),
        graphs=(),
        kernels=(),
        lines=(),
        execution_code="",
        reloads=(),
        profile=None,
    )
    page = open_page().page
    page.goto(write(report))
    assert page.get_by_text("Nothing was compiled").is_visible()


def test_hostile_strings_stay_text(open_page: OpenPage, write: Callable[[Report], str]) -> None:
    page = open_page().page
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(write(poison(sample_report(2))))
    assert page.locator(".fc-model").inner_text().startswith("<script>alert(1)</script>")
    first = tree(page).locator(".fc-row").first
    first.dblclick()
    page.locator(".fc-stage svg").wait_for()
    for name in ("FX graph", "Output code", "Kernels", "In/out", "Source", "Artifact"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(150)
    page.get_by_role("tab", name="Nodes").click()
    assert page.locator(".fc-root img, .fc-root script").count() == 0


@pytest.mark.parametrize(
    ("width", "scheme"), [(1400, "light"), (1400, "dark"), (820, "dark"), (400, "light")]
)
def test_axe_finds_nothing(open_page: OpenPage, page_80: str, scheme: str, width: int) -> None:
    page = open_page(width, 900, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce").page
    page.goto(page_80)
    assert page.locator(".fc-root").get_attribute("data-theme") == scheme
    found = violations(page)
    tree(page).get_by_text("submod_4", exact=True).dblclick()
    page.locator(".fc-stage [aria-label^='silu,']").click()
    for tab in ("FX graph", "Output code", "Kernels", "In/out", "Source", "Artifact"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(100)
        found += violations(page, ".fc-detail")
    for button in ("Warm reload", "Stages", "Keys ?"):
        page.get_by_role("button", name=button).click()
        found += violations(page, ".fc-drawer")
    page.get_by_role("tab", name="Nodes").click()
    found += violations(page)
    assert found == []


def test_axe_would_find_something(open_page: OpenPage, page_80: str) -> None:
    page = open_page(bypass_csp=True).page
    page.goto(page_80)
    spoil = "e => { e.style.color = '#cccccc'; e.removeAttribute('aria-label'); }"
    page.locator(".fc-list input").evaluate(spoil)
    page.locator(".fc-fact").first.evaluate(spoil)
    found = " ".join(violations(page))
    assert "color-contrast" in found


def test_it_is_usable_at_400_pixels(open_page: OpenPage, page_80: str) -> None:
    page = open_page(400, 900).page
    page.goto(page_80)
    tree(page).get_by_text("submod_4", exact=True).dblclick()
    page.locator(".fc-stage svg").wait_for()
    wide = "e => e.scrollWidth - e.clientWidth"
    assert page.locator("html").evaluate(wide) <= 0
    for name in ("Execution code", "Artifact"):
        page.get_by_role("tab", name=name).click()
        assert page.locator(".fc-detail").bounding_box()["width"] <= 400


def test_motion_is_reduced_on_request(open_page: OpenPage, page_80: str) -> None:
    calm, lively = open_page(reduced_motion="reduce").page, open_page().page
    for page in (calm, lively):
        page.goto(page_80)
    duration = "e => getComputedStyle(e).transitionDuration"
    assert calm.locator(".fc-stage .n").first.evaluate(duration) == "0s"
    assert lively.locator(".fc-stage .n").first.evaluate(duration) != "0s"
