"""The explorer in a real Notebook 7: run, click, keys, nothing in the console."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import CELL, Lab, OpenPage, list_of, serve, write_notebook

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook7(own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serve("notebook", tmp_path_factory.mktemp("notebook7")) as server:
        yield server


def test_report_and_explorer_run_in_notebook_7(open_page: OpenPage, notebook7: Lab) -> None:
    watched = open_page(1500, 1300)
    page = watched.page
    write_notebook(notebook7.root / "explorer.ipynb", [CELL])
    # Run before the kernel's socket is there, a dialog asks for a kernel.
    with page.expect_websocket(lambda socket: "/api/kernels/" in socket.url, timeout=180_000):
        page.goto(f"{notebook7.url}/notebooks/explorer.ipynb?token={notebook7.token}")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=180_000)
    # Notebook 7.6 stumbles over its own shortcut settings while it loads, before a cell has run.
    watched.errors = [error for error in watched.errors if "(reading 'schema')" not in error]
    notebook7.run_all(page)

    page.locator(".fc-root[data-theme=light]").wait_for(timeout=180_000)
    report = page.locator(".jp-RenderedHTMLCommon")
    report.get_by_text("[attention, layers] \u00d7 77").first.wait_for()

    # The content of a submodule comes from the kernel.
    page.get_by_role("tab", name="Kernels", exact=True).click()
    list_of(page).get_by_text("submod_4", exact=True).click()
    page.get_by_text("#pragma omp parallel").first.wait_for()
    assert "submod_4" in page.locator(".fc-status").inner_text()

    page.get_by_role("tab", name="Fusion", exact=True).click()
    page.get_by_role("grid", name="Groups").get_by_text("op1", exact=True).click()
    page.locator(".fc-answer").get_by_text("Choose another node").wait_for()

    # Keys stay with the explorer: "d d" would delete the cell.
    for key in "dd]":
        page.keyboard.press(key)
    page.locator(".fc-status").get_by_text("submod_5").wait_for()
    assert page.locator(".jp-CodeCell").count() == 1
    watched.check()
