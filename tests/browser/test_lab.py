"""The explorer in a real JupyterLab: three themes, the kernel's answers, a notebook reopened."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.browser.conftest import CELL, Lab, OpenPage, list_of, violations, write_notebook

pytestmark = pytest.mark.browser

THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")


def own_errors(errors: list[str]) -> list[str]:
    """Errors of the page that are not about files JupyterLab itself looks for."""
    return [error for error in errors if "favicon" not in error]


@pytest.mark.parametrize("theme", THEMES)
def test_the_whole_way(open_page: OpenPage, lab: Lab, theme: str) -> None:
    watched = open_page(1500, 1300)
    page = watched.page
    write_notebook(lab.root / "explorer.ipynb", [CELL])
    lab.open(page, "explorer.ipynb", theme)
    lab.run_all(page)

    # Open.
    root = page.locator(".fc-root")
    root.wait_for(timeout=180_000)
    assert page.locator("body").get_attribute("data-jp-theme-name") == theme
    page.locator(
        f".fc-root[data-theme={'light' if theme.endswith('Light') else 'dark'}]"
    ).wait_for()
    page.locator(".jp-RenderedHTMLCommon").get_by_text(
        "[attention, layers] \u00d7 77"
    ).first.wait_for()
    root.scroll_into_view_if_needed()

    # Filter, and choose by keyboard alone. Letters stay with the explorer: in command mode
    # JupyterLab would take them as shortcuts, "d d" deletes the cell.
    list_of(page).locator(".fc-row").first.focus()
    page.keyboard.press("/")
    page.keyboard.type("submod_6")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    assert list_of(page).locator(".fc-on .fc-col-name").inner_text() == "submod_6"
    for key in "dd":
        page.keyboard.press(key)
    assert page.locator(".jp-CodeCell").count() == 1
    page.keyboard.press("Enter")
    page.locator(".fc-stage [data-i]:focus").wait_for()
    page.keyboard.press("ArrowDown")

    # From a line to a node to a source line: the content comes from the kernel.
    code = page.get_by_role("grid", name="Execution code")
    code.locator(".fc-row").filter(has_text="kernels[2]").first.click()
    assert "submod_4" in page.locator(".fc-status").inner_text()
    page.locator(".fc-stage [aria-label^='silu,']").click()
    page.get_by_role("tab", name="Source").click()
    page.locator(".fc-sourceline.fc-on").wait_for()
    assert "down_proj" in page.locator(".fc-sourceline.fc-on").inner_text()

    # A kernel.
    page.get_by_role("tab", name="Kernels", exact=True).click()
    page.get_by_text("#pragma omp parallel").first.wait_for()

    # The warm reload, again; then one that fails.
    page.get_by_role("button", name="Warm reload", exact=True).click()
    drawer = page.get_by_role("region", name="Warm reload", exact=True)
    before = drawer.locator(".fc-racegrid").inner_text()
    drawer.get_by_role("button", name="Run again").click()
    drawer.get_by_text(re.compile("Reloading in fresh processes")).wait_for()
    page.get_by_text("Warm reload measured.").wait_for()
    assert drawer.locator(".fc-racegrid").inner_text() != before
    drawer.get_by_role("switch", name="As shipped").click()
    drawer.get_by_role("button", name="Run again").click()
    drawer.get_by_text("The warm reload failed").wait_for()
    assert "no process could be started" in drawer.inner_text()

    page.wait_for_timeout(300)
    assert violations(page) == []
    # The failed run is raised in the kernel, which JupyterLab may log; nothing else is an error.
    watched.errors = [e for e in own_errors(watched.errors) if "no process could be" not in e]
    watched.check()


def test_a_kernel_that_is_killed_ends_the_clock(open_page: OpenPage, lab: Lab) -> None:
    watched = open_page(1500, 1300)
    page = watched.page
    killed = "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    cell = CELL.replace("    time.sleep(0.5)\n", killed)
    assert cell != CELL
    write_notebook(lab.root / "killed.ipynb", [cell])
    lab.open(page, "killed.ipynb")
    lab.run_all(page)
    page.locator(".fc-root").wait_for(timeout=180_000)
    page.get_by_role("button", name="Warm reload", exact=True).click()
    page.get_by_role("button", name="Run again").click()
    page.get_by_text("The kernel is gone").wait_for()
    assert page.get_by_text("Reloading in fresh processes").count() == 0
    watched.errors.clear()  # JupyterLab's own, about its kernel


def test_a_click_is_answered_by_the_kernel(open_page: OpenPage, lab: Lab) -> None:
    page = open_page(1500, 1300).page
    write_notebook(lab.root / "click.ipynb", [CELL])
    lab.open(page, "click.ipynb")
    lab.run_all(page)
    page.locator(".fc-root").wait_for(timeout=180_000)
    page.get_by_role("tab", name="FX graph").click()
    times = []
    for name in ("submod_0", "submod_2", "submod_160"):
        milliseconds = page.evaluate(
            """name => new Promise(done => {
                const root = document.querySelector(".fc-root");
                const row = [...root.querySelectorAll(".fc-list .fc-row")]
                    .find(row => row.querySelector(".fc-col-name").textContent === name);
                const other = root.querySelector(".fc-other");
                const began = performance.now();
                const look = () => {
                    const lines = other.querySelectorAll(".fc-m-code");
                    if (lines.length > 4) done(performance.now() - began);
                    else requestAnimationFrame(look);
                };
                other.replaceChildren();
                row.click();
                requestAnimationFrame(look);
            })""",
            name,
        )
        times.append(milliseconds)
    assert len(times) == 3  # how fast, a busy machine cannot say; how much, `test_answers.py` does
    print(f"click to answer, ms: {[round(t) for t in times]}")


@pytest.fixture(scope="module")
def executed(lab: Lab) -> Path:
    """A notebook run with its widget state saved, as Lab does when told to, and not yet trusted."""
    path = lab.root / "saved.ipynb"
    write_notebook(path, [CELL])
    script = (
        "import nbformat, sys\n"
        "from nbclient import NotebookClient\n"
        "notebook = nbformat.read(sys.argv[1], 4)\n"
        "limits = dict(timeout=600, startup_timeout=300)\n"
        "NotebookClient(notebook, store_widget_state=True, **limits).execute()\n"
        "nbformat.write(notebook, sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=lab.environment)
    return path


def test_the_saved_notebook_is_small(executed: Path) -> None:
    notebook = nbformat.read(executed, 4)
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]
    outputs = len(json.dumps(notebook.cells[0].outputs))
    assert len(json.dumps(state)) < 300_000
    assert outputs < 1_000_000


def test_nbconvert_keeps_the_report(executed: Path) -> None:
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_filename(str(executed))
    assert "[attention, layers] \u00d7 77" in html
    assert 'src="data:image/svg+xml;base64,' in html
    assert "▲" in html


def test_reopened_untrusted_it_is_the_static_report(
    open_page: OpenPage, lab: Lab, executed: Path
) -> None:
    page = open_page(1500, 1300).page
    lab.open(page, executed.name)
    html = page.locator(".jp-RenderedHTMLCommon").filter(has_text="LlamaForCausalLM").first
    html.wait_for()
    assert "[attention, layers] \u00d7 77" in html.inner_text()
    # What the sanitizer leaves of colours, bars and the drawing.
    assert html.locator("details").count() >= 5
    badge = html.get_by_text("● K0").first
    assert badge.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(42, 111, 187)"
    ground = html.locator("pre").first.evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(27, 31, 39)"
    image = html.locator("img")
    html.get_by_text("Split graph, repeats folded").click()
    assert image.evaluate("e => e.naturalWidth") > 100
    assert page.locator(".fc-root").count() == 0
    assert page.get_by_text("Explorer of LlamaForCausalLM").count() == 1


def test_reopened_trusted_it_shows_the_saved_view_without_a_kernel(
    open_page: OpenPage, lab: Lab, executed: Path
) -> None:
    trusted = executed.with_name("trusted.ipynb")
    trusted.write_bytes(executed.read_bytes())
    subprocess.run(
        [sys.executable, "-m", "jupyter", "trust", str(trusted)],
        check=True,
        env=lab.environment,
        stdout=subprocess.DEVNULL,
    )
    watched = open_page(1500, 1300)
    page = watched.page
    lab.open(page, trusted.name)
    # On a busy machine JupyterLab may draw the output before its widget manager has restored what
    # the notebook holds, and says "model not found" for good; a reader loads the page again.
    lost = page.get_by_text("widget: model not found").first
    page.locator(".fc-root").or_(lost).first.wait_for()
    if lost.is_visible():
        watched.errors.clear()
        page.reload()
    page.locator(".fc-root").wait_for()
    assert list_of(page).get_by_text("submod_4", exact=True).is_visible()
    assert page.locator(".fc-stage svg [data-i]").count() == 8
    assert "hidden_0, cos, sin" in page.get_by_role("grid", name="Execution code").inner_text()
    page.get_by_text("Kernel not connected, or busy").first.wait_for()
    # What needs the kernel says so; what is shown stays.
    list_of(page).get_by_text("submod_4", exact=True).dblclick()
    page.locator(".fc-middle .fc-notice").get_by_text("Showing the saved view").wait_for()
    page.get_by_role("tab", name="Split graph").click()
    assert page.locator(".fc-stage svg [data-i]").count() == 8


def test_environment_is_the_test_s_own(lab: Lab) -> None:
    assert lab.environment["JUPYTER_DATA_DIR"] != os.environ.get("JUPYTER_DATA_DIR")
