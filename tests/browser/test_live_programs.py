"""Calls recorded by a cell in a real JupyterLab, compiled there: each kind a program to choose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Lab, OpenPage, write_notebook
from tests.browser.test_programs import program, submodules, tree
from tests.browser.test_race import START

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RECORDED = (
    "%%fastcompile -m model --no-warm --force -o compiled\n"
    "for length in (6, 8):\n"
    "    model(ids[:, :length].clone())\n"
    "    out = model(ids[:, :length].int())"
)
AFTER = (
    "near = torch.allclose(out['logits'], model(ids)['logits'], atol=1e-5)\n"
    "print('programs', len(compiled.programs), near)"
)


def tab_to(page: Any, wanted: Any, most: int = 60) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    for _ in range(most):
        if wanted.evaluate("(e) => e === document.activeElement"):
            return
        page.keyboard.press("Tab")
    where = page.evaluate("() => document.activeElement.outerHTML.slice(0, 200)")
    raise AssertionError(f"{most} times Tab did not lead there, but to {where}")


def badge(page: Any, submodule: str) -> Any:
    return tree(page).locator(".fc-row", has_text=submodule).locator(".fc-badge")


def read_first_kernel(page: Any) -> str:
    """Open the graph of the first submodule, then its kernel, by keys; the source of the kernel."""
    page.keyboard.press("/")
    for key in ("ArrowDown", "Home", "Enter"):
        page.keyboard.press(key)
    page.locator(".fc-stage [data-i]:focus").wait_for()
    assert "fc-on" in tree(page).locator(".fc-row", has_text="submod_0").get_attribute("class")
    tab_to(page, page.get_by_role("tab", name="Execution code").and_(page.locator(":visible")))
    kernel = page.get_by_role("tab", name="Kernels", exact=True).and_(page.locator(":visible"))
    while kernel.get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowRight")
    source = page.locator(".fc-detail:visible .fc-other").get_by_role("grid")
    source.filter(has_text="in_ptr0").wait_for()
    return str(source.inner_text())


def test_every_kind_of_call_of_a_cell_is_a_program_to_choose(open_page: OpenPage, lab: Lab) -> None:
    page = open_page(1500, 1800).page
    write_notebook(lab.root / "programs.ipynb", [START, RECORDED, AFTER])
    lab.open(page, "programs.ipynb")
    lab.run_all(page)

    # The report lists them, and the cell's value is that of the compiled ones.
    report = page.locator(".jp-RenderedHTMLCommon", has_text="TinyTransformer").first
    report.wait_for(timeout=300_000)
    for name in ("call_0", "call_1"):
        report.get_by_role("cell", name=name, exact=True).wait_for()
    page.get_by_text("programs 2 True").wait_for()

    # The chooser is on top of the explorer; a kernel of both is marked, and one of its own is not.
    first, second = program(page, "call_0"), program(page, "call_1")
    first.wait_for()
    tree(page).wait_for()
    assert second.bounding_box()["y"] < tree(page).bounding_box()["y"]
    assert submodules(page) == "5"
    assert badge(page, "submod_4").get_attribute("title") == "also in call_1"
    assert "\u2229" in badge(page, "submod_4").inner_text()
    assert "\u2229" not in badge(page, "submod_0").inner_text()

    # By keys alone, from the top of the page on: what is shown of the second is its own, and
    # comes from the kernel.
    tab_to(page, first)
    page.keyboard.press("ArrowRight")
    assert second.get_attribute("aria-selected") == "true"
    assert "ids i32[1, seq]" in page.locator(".fc-program").inner_text()
    page.locator(".fc-stage svg:visible [data-i]").first.wait_for()
    code = page.get_by_role("grid", name="Execution code").and_(page.locator(":visible"))
    code.get_by_text("kernel_0(").wait_for()
    assert submodules(page) == "5"
    assert badge(page, "submod_4").get_attribute("title") == "also in call_0"
    assert "const int32_t*" in read_first_kernel(page)

    # And back, where nothing was chosen yet.
    page.keyboard.press("{")
    assert first.get_attribute("aria-selected") == "true"
    assert tree(page).locator(".fc-row.fc-on").count() == 0
    assert "const int64_t*" in read_first_kernel(page)
