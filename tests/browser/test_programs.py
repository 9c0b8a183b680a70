"""A report of several programs in the browser: the chooser, and what it chooses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ipy_fastcompile.records import Report
from tests.browser.conftest import OpenPage, violations
from tests.browser.test_answers import Kernel
from tests.unit.show.sample_programs import sample_programs

pytestmark = pytest.mark.browser


@pytest.fixture
def page(open_page: OpenPage, write: Callable[[Report], str]) -> Any:
    page = open_page(height=1000).page
    page.goto(write(sample_programs(80)))
    return page


def program(page: Any, name: str) -> Any:
    return page.get_by_role("tab", name=re.compile(f"^{name}:"))


def tree(page: Any) -> Any:
    return page.locator(".fc-list:visible").get_by_role("treegrid", name="Submodules")


def submodules(page: Any) -> str:
    return str(page.locator(".fc-list:visible .fc-tools .fc-fine").inner_text())


def test_a_program_is_chosen_and_its_views_are_below(page: Any) -> None:
    assert page.get_by_text("2 programs", exact=True).is_visible()
    assert program(page, "call_0").get_attribute("aria-selected") == "true"
    assert submodules(page) == "161"
    program(page, "call_1").click()
    assert submodules(page) == "159"
    assert "past_key_values.layers[*].keys" in page.locator(".fc-program").inner_text()
    page.locator(".fc-middle:visible svg [data-i]").first.wait_for()
    code = page.get_by_role("grid", name="Execution code").and_(page.locator(":visible"))
    assert "159 submodules" in code.inner_text()


def test_each_program_keeps_what_was_chosen_in_it(page: Any) -> None:
    tree(page).locator(".fc-row", has_text="submod_160").click()
    program(page, "call_1").click()
    assert tree(page).locator(".fc-row.fc-on").count() == 0
    program(page, "call_0").click()
    assert "submod_160" in tree(page).locator(".fc-row.fc-on").inner_text()


def test_kernels_that_programs_share_are_marked(page: Any) -> None:
    badge = tree(page).locator(".fc-badge", has_text="K0")
    assert badge.inner_text() == "\u25cf K0 \u2229"
    assert badge.get_attribute("title") == "also in call_1"
    assert "\u2229" not in tree(page).locator(".fc-row", has_text="submod_160").inner_text()
    drawn = page.locator(".fc-middle svg [data-i]").first
    assert "K0 \u2229" in drawn.text_content()
    tree(page).locator(".fc-row", has_text="submod_0").click()
    assert "also in call_1" in page.locator(".fc-inspector").inner_text()
    page.get_by_role("tab", name="Artifact").click()
    kernels = page.get_by_role("table", name="All kernels of this program")
    assert "also in call_1" in kernels.locator("tbody tr").first.inner_text()


def test_by_keyboard_alone(page: Any) -> None:
    program(page, "call_0").focus()
    page.keyboard.press("ArrowRight")
    assert program(page, "call_1").evaluate("(e) => e === document.activeElement")
    assert submodules(page) == "159"
    # From inside the panes, where the focus goes to what has come.
    page.keyboard.press("Escape")
    page.keyboard.press("{")
    assert submodules(page) == "161"
    assert tree(page).locator(".fc-row:focus").count() == 1
    page.keyboard.press("]")
    assert tree(page).locator(".fc-row.fc-on").inner_text().startswith("submod_0")
    page.keyboard.press("?")
    assert page.get_by_text("previous, next program").is_visible()


def test_choosing_feels_instant(page: Any) -> None:
    milliseconds = page.evaluate(
        """() => {
        const [, second] = document.querySelectorAll('[aria-label=Programs] [role=tab]');
        const began = performance.now();
        second.click();
        second.getBoundingClientRect();
        return performance.now() - began;
        }"""
    )
    assert milliseconds < 100


def test_a_program_is_asked_of_the_kernel_when_it_is_chosen(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_programs(4))
    page = kernel.page
    asked = "asked.filter((question) => question.key.startsWith('1/')).length"
    assert page.evaluate(asked) == 0
    program(page, "call_1").click()
    assert submodules(page) == "7"  # listed at once, before any answer
    # What comes late for the other program is drawn there, out of sight.
    assert kernel.answer("split:") == ["split:"]
    assert page.locator(".fc-stage svg:visible").count() == 0
    assert kernel.answer("1/split:") == ["1/split:"]
    page.locator(".fc-stage svg:visible").wait_for()
    assert page.locator(".fc-stage svg:visible [data-i]").count() == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_the_way(
    open_page: OpenPage, write: Callable[[Report], str], scheme: str
) -> None:
    page = open_page(width=520, color_scheme=scheme).page
    page.goto(write(sample_programs(4)))
    program(page, "call_1").click()
    page.locator(".fc-middle:visible svg [data-i]").first.wait_for()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 520


def test_without_scripts_each_program_is_a_section(
    open_page: OpenPage, write: Callable[[Report], str]
) -> None:
    page = open_page(java_script_enabled=False).page
    page.goto(write(sample_programs(2)))
    assert page.get_by_role("cell", name="call_1", exact=True).is_visible()
    section = page.locator("details", has=page.get_by_text("Program call_1: input_ids"))
    assert not section.get_by_text("Submodules", exact=True).is_visible()
    section.locator("summary").first.click()
    assert section.get_by_text("Submodules", exact=True).is_visible()
