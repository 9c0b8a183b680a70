"""The notebooks of the repository, executed; and what is stored in them for a reader."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def outputs(notebook: Any, start: str) -> list[Any]:
    """The outputs of the code cell that starts with a text."""
    (cell,) = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.startswith(start)
    ]
    return list(cell.outputs)


def text_of(found: list[Any]) -> str:
    return "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in found)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Execute a notebook in a folder of its own; raises when a cell does."""
    done: dict[str, Any] = {}

    def execute(name: str) -> Any:
        if name not in done:
            folder = tmp_path_factory.mktemp("notebook")
            shutil.copy(FOLDER / name, folder)
            notebook = nbformat.read(folder / name, as_version=4)
            client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": folder}})
            done[name] = client.execute()
        return done[name]

    return execute


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS])
def test_the_notebook_runs_and_says_nothing_unasked(executed: Any, name: str) -> None:
    notebook = executed(name)
    streams = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert streams == []
    assert outputs(notebook, "%load_ext ipy_fastcompile") == []


@pytest.mark.slow
def test_see_inside_shows_what_it_says(executed: Any) -> None:
    notebook = executed("01_see_inside.ipynb")
    report, explorer = outputs(notebook, "%%fastcompile")
    assert "LlamaForCausalLM" in report.data["text/plain"]
    assert "Warm reload" in report.data["text/html"]
    error = re.search(r"max error ([\d.e+-]+)", report.data["text/plain"])
    assert error is not None
    assert float(error.group(1)) < 1e-4
    # Two outputs: the report does not depend on the widget.
    assert WIDGET not in report.data
    assert WIDGET in explorer.data
    assert WIDGET in outputs(notebook, "compiled.explore()")[0].data

    kernels = text_of(outputs(notebook, "report = compiled.report")).splitlines()
    assert [re.match(r"kernel \d: +(\d+) submodules", line).group(1) for line in kernels] == [
        *("1", "15", "1")
    ]
    assert "def forward(input_ids" in text_of(outputs(notebook, "lines = compiled"))
    assert 'extern "C"' in text_of(outputs(notebook, "source = report"))
    assert "512" in text_of(outputs(notebook, "import ipy_fastcompile"))
    table = text_of(outputs(notebook, "for reload"))
    race = re.findall(r"^(\w+) +load +([\d.]+) ms", table, re.MULTILINE)
    assert [path for path, _ in race] == ["native", "torch", "fx"]
    assert float(race[0][1]) < float(race[1][1])


@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS])
def test_a_reader_who_runs_nothing_sees_the_results(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # Run in order, in one go, and no cell failed.
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds <= {"display_data", "execute_result", "stream"}
    # The state of widgets would repeat their scripts in every notebook.
    assert "widgets" not in notebook.metadata
    assert len(text) < 1_000_000
    # Nothing of the machine it was run on.
    assert re.findall(r"(?:/root|/home|/Users|/work|/tmp)/[\w./-]*", text) == []


def test_there_are_notebooks() -> None:
    assert "01_see_inside.ipynb" in [path.name for path in NOTEBOOKS]
