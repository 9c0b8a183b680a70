"""A cell in a real JupyterLab, with the real compiler: nobody waits for its warm reload."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Lab, OpenPage, write_notebook
from tests.processes import have_ended, running_children, wait_for_child

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START = (
    "%load_ext ipy_fastcompile\n"
    "import os, torch\n"
    "from tests.tiny import TinyTransformer\n"
    "torch.manual_seed(0)\n"
    "model = TinyTransformer().eval()\n"
    "ids = torch.arange(8).reshape(1, 8)"
)
CELLS = (
    START,
    "%%fastcompile --dynamic ids:1=seq --force -o compiled\nout = model(ids)",
    "print('answer', 6 * 7, 'reloads', len(compiled.report.reloads), 'process', os.getpid())",
)


def test_the_report_is_there_the_race_fills_in_and_the_kernel_answers_meanwhile(
    open_page: OpenPage, lab: Lab
) -> None:
    watched = open_page(1500, 1800)
    page = watched.page
    write_notebook(lab.root / "race.ipynb", [*CELLS])
    lab.open(page, "race.ipynb")
    lab.run_all(page)

    # The report and the kernel's answer are there before a single path has been timed to its end.
    outputs = page.locator(".jp-RenderedHTMLCommon")
    report = outputs.filter(has_text="Warm reload: timed beside this session")
    report.wait_for(timeout=300_000)
    assert "TinyTransformer" in report.inner_text()
    answer = page.get_by_text("answer 42 reloads 0 process ")
    answer.wait_for()
    kernel = int(answer.inner_text().split()[-1])
    race = outputs.filter(has_text=re.compile(r"^\s*warm reload"))
    race.wait_for()

    # It fills in, in the output of its own and in the explorer.
    page.locator(".fc-root").wait_for()
    page.get_by_role("button", name="Warm reload", exact=True).click()
    drawer = page.get_by_role("region", name="Warm reload", exact=True)
    drawer.get_by_text(re.compile(r"Reloading in fresh processes … [1-9] of about")).wait_for()
    drawer.get_by_role("progressbar", name="Fresh processes").wait_for()
    assert wait_for_child(kernel)
    drawer.locator(".fc-racegrid b").get_by_text("native").wait_for()
    assert race.count() == 1

    # And it is whole in both, each path once; no process is left.
    race.wait_for(state="detached", timeout=600_000)
    whole = outputs.filter(has_text=re.compile(r"Medians of .* Measured 20"))
    whole.wait_for()
    assert drawer.locator(".fc-racegrid b").all_inner_texts() == ["native", "torch", "fx"]
    for path in ("native", "torch", "fx"):
        assert whole.get_by_role("cell", name=path, exact=True).count() == 1
    drawer.get_by_role("button", name="Run again").wait_for()
    assert report.count() == 1  # what somebody unfolded in it stays unfolded
    assert have_ended(running_children(kernel))
    watched.errors = [error for error in watched.errors if "favicon" not in error]
