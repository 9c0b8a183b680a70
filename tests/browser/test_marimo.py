"""Objects and the explorer in a real marimo, where there are no magics: shown, clicked, raced."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import OpenPage, free_port, list_of, missing, running, violations

pytestmark = pytest.mark.browser

# Each cell ends in what it shows. Nothing has to be compiled for it: every node is inlined.
NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import torch
    import ipy_fastcompile as fc
    from tests.tiny import TinyTransformer, everything

    model, ids = TinyTransformer().eval(), torch.arange(8).reshape(1, 8)
    compiled = fc.compile(model, (ids,), split_at=everything)
    compiled
    return compiled, fc, ids, model


@app.cell
def _(compiled, fc, model):
    path = "FOLDER/tiny.fastcompile"
    compiled.save(path)
    fn = fc.load(path, model)
    fn
    return (path,)


@app.cell
def _(fc, path):
    fc.inspect(path)


@app.cell
def _(fc, ids, model):
    with fc.record(model) as calls:
        model(ids)
        model(ids[:, :3])
    calls


@app.cell
def _():
    import dataclasses, threading, time
    from ipy_fastcompile.records import Standing
    from ipy_fastcompile.show.explorer import Explorer
    from tests.unit.show.sample import sample_report

    report = sample_report(80, near_twin=True)

    def race(tell):
        tell(Standing("running", total=3, now="native"))
        time.sleep(0.5)
        kept = (r for r in report.reloads if not r.shipped)
        again = tuple(dataclasses.replace(r, load=r.load / 2) for r in kept)
        tell(Standing("done", again, 3, 3))

    def rerun(shipped, tell):
        threading.Thread(target=race, args=[tell]).start()

    Explorer(report, rerun)


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture(scope="module")
def marimo(own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the notebook, served as an app, which runs every cell when it is opened."""
    if importlib.util.find_spec("marimo") is None:
        missing("marimo (pip install marimo)")
    folder = tmp_path_factory.mktemp("marimo")
    notebook, log = folder / "notebook.py", folder / "server.log"
    notebook.write_text(NOTEBOOK.replace("FOLDER", str(folder)))
    port = free_port()
    command = ["marimo", "-q", "run", str(notebook), "--headless", "--no-token"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    address = f"http://127.0.0.1:{port}"
    with running([*command, "--port", str(port)], log, environment, f"{address}/health"):
        yield address


def test_objects_and_the_explorer_are_shown_in_marimo(open_page: OpenPage, marimo: str) -> None:
    watched = open_page(1500, 1300)
    page = watched.page
    page.goto(marimo)
    page.locator(".fc-root[data-theme=light]").wait_for(timeout=180_000)

    # What was compiled is its report, from its heading to its execution code.
    for words in (
        "Execution code, 168 lines",
        "torch.ops.aten.embedding.default(p_embed_weight, ids)",
        "TinyTransformer, loaded along the native path",
        "ids int64[1, 8]",
        "trusted",
        "The report of the compile that it holds",
        "1 kind of calls of TinyTransformer",
        "seq: 3, 8",
    ):
        page.get_by_text(words).first.wait_for(state="attached")
    held = page.get_by_text("The report of the compile that it holds")
    held.click()
    assert page.get_by_text("Execution code, 168 lines").nth(1).is_visible()

    # The content of a submodule comes from the kernel.
    page.get_by_role("tab", name="Kernels", exact=True).click()
    list_of(page).get_by_text("submod_4", exact=True).click()
    page.get_by_text("#pragma omp parallel").first.wait_for()
    assert "submod_4" in page.locator(".fc-status").inner_text()
    page.keyboard.press("]")
    page.locator(".fc-status").get_by_text("submod_5").wait_for()

    page.wait_for_timeout(300)
    assert violations(page, "marimo-anywidget") == []  # a shadow tree, which axe looks into

    # Standings come from a thread of the kernel.
    page.get_by_role("button", name="Warm reload", exact=True).click()
    drawer = page.get_by_role("region", name="Warm reload", exact=True)
    before = drawer.locator(".fc-racegrid").inner_text()
    drawer.get_by_role("button", name="Run again").click()
    page.get_by_text("Warm reload measured.").wait_for()
    assert drawer.locator(".fc-racegrid").inner_text() != before
    watched.check()
