"""Calls recorded by a cell in a real JupyterLab, compiled there: each kind a program to choose."""

from __future__ import annotations

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

    # The explorer has a chooser; what it shows of each comes from the kernel.
    page.locator(".fc-root").wait_for()
    program(page, "call_0").focus()
    assert submodules(page) == "5"
    tree(page).locator(".fc-badge", has_text="\u2229").first.wait_for()  # a kernel of both
    page.keyboard.press("ArrowRight")
    assert program(page, "call_1").get_attribute("aria-selected") == "true"
    assert "ids i32[1, seq]" in page.locator(".fc-program").inner_text()
    page.locator(".fc-stage svg:visible [data-i]").first.wait_for()
    code = page.get_by_role("grid", name="Execution code").and_(page.locator(":visible"))
    code.get_by_text("kernel_0(").wait_for()
