"""Passes and fusions in the explorer: which changed the graph, and why two nodes are not fused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ipy_fastcompile.explained import Explained, read_explained
from ipy_fastcompile.fused import answers
from ipy_fastcompile.records import Report
from ipy_fastcompile.show.explained import verdict
from tests.browser.conftest import OpenPage, list_of, violations
from tests.unit.show.conftest import poison
from tests.unit.show.sample import sample_report

pytestmark = pytest.mark.browser


def open_tab(page: Any, address: str, tab: str, submodule: str = "submod_4") -> Any:
    """Opens the details of a submodule at a tab."""
    page.goto(address)
    list_of(page).get_by_text(submodule, exact=True).click()
    page.get_by_role("tab", name=tab, exact=True).click()
    return page.locator(".fc-detail")


def explained_of(report: Report, kernel: int) -> Explained:
    return read_explained(report.kernels[kernel].explained)


def test_a_pass_is_opened_and_its_difference_read(
    open_page: OpenPage, page_80: str, report_80: Report
) -> None:
    page = open_page().page
    detail = open_tab(page, page_80, "Passes")
    passes = detail.get_by_role("grid", name="Passes")
    passes.get_by_text("mm_of_linear").wait_for()
    assert "7 passes in 1.5 ms, 2 of which changed the graph." in detail.inner_text()
    # The first that changed something is open; what went and came is told with its source line.
    code = detail.get_by_role("grid", name="What mm_of_linear changed")
    code.locator(".fc-removed").wait_for()
    assert code.locator(".fc-removed").inner_text().split()[1:4] == ["-", "linear", "="]
    assert code.locator(".fc-added").count() == 2
    assert "modeling_llama.py:263: attn_output" in code.locator(".fc-added").first.inner_text()
    code.locator(".fc-added").first.click()
    page.get_by_role("tab", name="Source").click()
    assert "self.o_proj" in page.locator(".fc-sourceline.fc-on").inner_text()
    # Another one.
    page.get_by_role("tab", name="Passes").click()
    passes.get_by_text("tests.my_pass").click()
    detail.get_by_role("grid", name="What tests.my_pass changed").wait_for()
    assert "12 more lines not kept" in passes.locator(".fc-on").inner_text()


def test_passes_that_changed_nothing_are_one_row_that_unfolds(
    open_page: OpenPage, page_80: str
) -> None:
    page = open_page().page
    passes = open_tab(page, page_80, "Passes").get_by_role("grid", name="Passes")
    fold = passes.get_by_role("button", name="5 passes changed nothing")
    fold.wait_for()
    assert passes.get_attribute("aria-rowcount") == "4"
    # By keys alone.
    passes.locator(".fc-row").first.click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert fold.get_attribute("aria-expanded") == "true"
    page.keyboard.press("End")
    assert "decompose_auto_functionalized" in passes.locator(".fc-row:focus").inner_text()
    fold.click()
    assert fold.get_attribute("aria-expanded") == "false"
    assert passes.get_attribute("aria-rowcount") == "4"


def test_two_nodes_are_chosen_by_mouse_and_the_answer_read(
    open_page: OpenPage, page_80: str, report_80: Report
) -> None:
    page = open_page().page
    detail = open_tab(page, page_80, "Fusion")
    groups = detail.get_by_role("grid", name="Groups")
    answer = detail.get_by_role("status").filter(has_text="Choose two nodes")
    answer.wait_for()
    answer = detail.locator(".fc-answer")
    explained = explained_of(report_80, 2)
    refused = next(r for r in explained.refusals if r.reason.startswith("numel"))
    a, b = refused.first[0], refused.second[0]
    for name in (a, b):
        groups.locator(".fc-row").filter(has_text=f" {name} ").or_(
            groups.get_by_text(name, exact=True)
        ).first.click()
    text = answer.inner_text()
    assert text.startswith("Not fused: ")
    assert f'Inductor: "{refused.reason}". They loop over different numbers' in text
    # Both source lines, each of which leads to the rest.
    lines = answer.locator(".fc-sourceline")
    told = {node.name: node.source for node in explained.nodes}
    for name, line in zip((a, b), lines.all_inner_texts(), strict=True):
        assert line.split() == [f"modeling_llama.py:{told[name].line}", *told[name].text.split()]
    lines.first.click()
    assert "modeling_llama.py" in page.locator(".fc-status").inner_text()
    # A second click of a double click does not choose a node twice.
    groups.get_by_text(a, exact=True).dblclick()
    assert answer.inner_text() == text


def test_two_nodes_are_chosen_by_keys_alone(open_page: OpenPage, page_80: str) -> None:
    page = open_page().page
    detail = open_tab(page, page_80, "Fusion")
    answer = detail.locator(".fc-answer")
    detail.get_by_role("grid", name="Groups").wait_for()
    page.get_by_role("tab", name="Fusion", exact=True).focus()
    # Two choosers, the tabs and the table are a stop each.
    page.keyboard.press("Tab")
    page.keyboard.type("op1 ")
    page.keyboard.press("Tab")
    page.keyboard.type("op2 ")
    page.keyboard.press("Enter")
    assert "Choose" not in answer.inner_text()
    assert "op1 " in answer.inner_text()
    assert "op2 " in answer.inner_text()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.classList.contains('fc-row')"):
            break
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert "op0 " in answer.inner_text()
    assert "op1 " not in answer.inner_text()


def test_nodes_of_the_graph_lead_to_what_they_became(
    open_page: OpenPage, page_80: str, report_80: Report
) -> None:
    page = open_page().page
    page.goto(page_80)
    list_of(page).get_by_text("submod_4", exact=True).dblclick()
    explained = explained_of(report_80, 2)
    became = {name: node.name for node in explained.nodes for name in node.sources}
    for name in ("silu", "mul_2"):
        page.locator(f".fc-stage [aria-label^='{name},']").click()
        page.get_by_role("button", name="Fused with …?").click()
    answer = page.locator(".fc-answer")
    answer.get_by_text(f"{became['silu']} ").wait_for()
    answer.get_by_text(f"{became['mul_2']} ").wait_for()
    (pair,) = answers(explained, "silu", "mul_2")
    assert answer.locator("strong").inner_text() == verdict(pair)[0]
    # A view is no node of the scheduler, which is said; and the choice stays.
    page.locator(".fc-stage [aria-label^='transpose,']").first.click()
    page.get_by_role("button", name="Fused with …?").click()
    page.locator(".fc-status").get_by_text("transpose is no node of its own").wait_for()
    assert answer.locator("strong").inner_text() == verdict(pair)[0]


def test_a_node_of_the_graph_is_what_gives_its_result(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    report = sample_report(2)
    explained = explained_of(report, 1)
    # A sum made its squares anew, and what follows it is made of it, too.
    made = {"op0": ("pow_1", "mean"), "op1": ("mean",), "op2": ("mean", "add_1")}
    nodes = tuple(
        dataclasses.replace(node, sources=made.get(node.name, ())) for node in explained.nodes
    )
    packed = dataclasses.replace(explained, nodes=nodes).packed()
    kernels = (
        report.kernels[0],
        dataclasses.replace(report.kernels[1], explained=packed),
        *report.kernels[2:],
    )
    page = open_page().page
    page.goto(write(dataclasses.replace(report, kernels=kernels)))
    list_of(page).get_by_text("submod_2", exact=True).dblclick()
    for name, became in (("mean", "op1"), ("pow", None), ("add_1", "op2")):
        page.locator(f".fc-stage [aria-label^='{name},']").click()
        page.get_by_role("button", name="Fused with …?").click()
        if became:
            page.locator(".fc-answer").get_by_text(f"{became} ").wait_for()
        else:
            page.locator(".fc-status").get_by_text(f"{name} is no node of its own").wait_for()


def test_every_pair_is_answered_as_in_python(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    report = sample_report(2)
    explained = explained_of(report, 1)
    page = open_page().page
    detail = open_tab(page, write(report), "Fusion", "submod_2")
    choosers = [detail.get_by_label(label) for label in ("First node", "Second node")]
    answer = detail.locator(".fc-answer")
    seen: set[str] = set()
    names = [node.name for node in explained.nodes]
    pairs = [(a, b) for n, a in enumerate(names[:20]) for b in names[n:20]]
    pairs += [(b, a) for a, b in pairs[1:20]]
    for a, b in pairs:
        choosers[0].select_option(str(names.index(a)))
        choosers[1].select_option(str(names.index(b)))
        (pair,) = answers(explained, a, b)
        said = verdict(pair)
        assert answer.locator("strong, p").all_inner_texts() == said, (a, b)
        seen.add(pair.relation + (" recorded" if pair.reasons else ""))
    assert seen == {"same", "loops", "function", "function recorded", "apart", "apart recorded"}


def test_refusals_reasons_and_buffers_are_listed(
    open_page: OpenPage, page_80: str, report_80: Report
) -> None:
    page = open_page().page
    detail = open_tab(page, page_80, "Fusion")
    explained = explained_of(report_80, 2)
    detail.get_by_role("tab", name=f"{len(explained.refusals)} refusals").click()
    refusals = detail.get_by_role("grid", name="Refusals")
    refusals.locator(".fc-row").first.click()
    page.keyboard.press("ArrowDown")
    first = explained.refusals[1]
    text = detail.locator(".fc-answer").inner_text()
    assert first.first[0] in text
    assert first.second[0] in text
    assert first.reason in text
    detail.get_by_role("tab", name="3 reasons").click()
    reasons = detail.get_by_role("grid", name="3 reasons")
    assert "They loop over different numbers of elements." in reasons.inner_text()
    detail.get_by_role("tab", name="buffers").click()
    assert "allocated" in detail.get_by_role("grid", name="buffers").inner_text()
    # Nothing is cut: what is long is reached by scrolling.
    cut = "(all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1).length"
    assert detail.locator(".fc-grid .fc-cell").evaluate_all(cut) == 0


def test_what_was_not_recorded_has_a_face(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    report = sample_report(1)
    kernels = tuple(dataclasses.replace(kernel, explained="") for kernel in report.kernels)
    page = open_page().page
    detail = open_tab(
        page, write(dataclasses.replace(report, kernels=kernels)), "Fusion", "submod_0"
    )
    detail.get_by_text("recorded none of this").wait_for()
    page.get_by_role("tab", name="Passes").click()
    detail.get_by_text("recorded none of this").wait_for()
    list_of(page).get_by_text("submod_1", exact=True).click()
    detail.get_by_text("submod_1 has no kernel").wait_for()


def test_hostile_strings_stay_text(open_page: OpenPage, write: Callable[[Report], str]) -> None:
    page = open_page().page
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(write(poison(sample_report(2))))
    list_of(page).locator(".fc-row").first.click()
    for tab, label in (("Passes", "Passes"), ("Fusion", "Groups")):
        page.get_by_role("tab", name=tab, exact=True).click()
        grid = page.get_by_role("grid", name=label, exact=True)
        grid.locator(".fc-row").nth(1).click()
        assert "<script>alert(1)</script>" in grid.inner_text()
    assert page.locator(".fc-root img, .fc-root script").count() == 0


@pytest.mark.parametrize(
    ("width", "scheme"), [(1400, "light"), (1400, "dark"), (820, "dark"), (400, "light")]
)
def test_axe_finds_nothing(open_page: OpenPage, page_80: str, scheme: str, width: int) -> None:
    page = open_page(width, 900, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce").page
    detail = open_tab(page, page_80, "Passes")
    detail.get_by_role("button", name="changed nothing").click()
    found = violations(page, ".fc-detail")
    detail.get_by_role("grid", name="Passes").get_by_text("mm_of_linear").click()
    detail.locator(".fc-added").first.wait_for()
    found += violations(page, ".fc-detail")
    page.get_by_role("tab", name="Fusion", exact=True).click()
    detail.get_by_role("grid", name="Groups").locator(".fc-row").nth(1).click()
    found += violations(page, ".fc-detail")
    for tab in ("refusals", "reasons", "buffers"):
        detail.get_by_role("tab", name=tab).click()
        found += violations(page, ".fc-detail")
    assert found == []
    assert page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
