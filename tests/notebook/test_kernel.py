"""The magics in a real kernel, with the real compiler: what a saved notebook holds in the end."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cells import run_cells

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = [
    "%load_ext ipy_fastcompile",
    (
        "import inspect, torch\n"
        "from tests.tiny import TinyTransformer\n"
        "model = TinyTransformer().eval()\n"
        "ids = torch.arange(8).reshape(1, 8)"
    ),
    (
        "%%fastcompile --dynamic ids:1=seq --no-warm\n"
        "def double(x):\n"
        "    return 2 * x\n"
        "out = model(ids)"
    ),
    "print(inspect.getsource(double), end='')\nprint(sorted(out))",
    "%%fastcompile --no-warm\nzero = 0\n1 / zero\nmodel(ids)",
    "%%fastcompile --no-warm\nprint(model(ids))",
    "%fastcompile?",
    "%%fastcompile --no-warm --no-explorer\nmodel(ids)['logits'].shape",
    "%%fastcompile -q\nimport asyncio\nawait asyncio.sleep(0)\nmodel(ids)['logits'].shape",
    (
        "def shape(net, x):\n    y = %fastcompile -q net(x)\n    return y['logits'].shape\n"
        "shape(model, ids)"
    ),
    (
        "name = 'run 7'\n%fastcompile -q --save '{name}.fastcompile' model(ids)\n"
        "fn = %fastcompile_load '{name}.fastcompile' model\nfn(ids)['logits'].shape"
    ),
    (
        "import gc, weakref\nmodels = [weakref.ref(model), weakref.ref(next(model.parameters()))]\n"
        "del model, fn, _, __, ___\nOut.clear()\ngc.collect()\n"
        "print([held() for held in models], len(get_ipython().magics_manager.registry["
        "'FastCompileMagics'].explorers))"
    ),
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return run_cells(CELLS, tmp_path_factory.mktemp("kernel"), allow_errors=True)


def plain(output: Any) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", output)


def test_loading_says_nothing(cells: list[Any]) -> None:
    assert cells[0].outputs == []


def test_the_report_takes_the_place_of_the_bar_and_the_explorer_is_below(cells: list[Any]) -> None:
    report, explorer = cells[2].outputs
    assert report.output_type == explorer.output_type == "display_data"
    assert "TinyTransformer" in report.data["text/plain"]
    assert "<table" in report.data["text/html"]
    assert WIDGET not in report.data
    assert WIDGET in explorer.data


def test_the_cell_ran_as_any_cell(cells: list[Any]) -> None:
    (output,) = cells[3].outputs
    assert output.text == "def double(x):\n    return 2 * x\n['logits', 'state']\n"


def test_an_exception_is_shown_once_with_the_line_of_the_cell(cells: list[Any]) -> None:
    (error,) = cells[4].outputs
    assert (error.output_type, error.ename) == ("error", "ZeroDivisionError")
    traceback = plain("\n".join(error.traceback))
    assert traceback.count("ZeroDivisionError: division by zero") == 1
    assert re.search(r"Cell In\[5\], line 3\b", traceback)
    assert re.search(r"--+> 3 1 / zero", traceback)
    assert "notebook/cell.py" not in traceback
    assert "notebook/compile_magic.py" not in traceback


def test_bad_input_is_one_line_and_fails_the_cell(cells: list[Any]) -> None:
    said = [output.text for output in cells[5].outputs if output.output_type == "stream"]
    assert len(said) == 1
    assert said[0].startswith("UsageError: print is a built-in function, not a model.")
    assert said[0].count("\n") == 1


def test_the_value_of_the_call_is_the_value_of_the_cell(cells: list[Any]) -> None:
    *_, value = cells[7].outputs
    assert value.output_type == "execute_result"
    assert value.data["text/plain"] == "torch.Size([1, 8, 64])"
    assert len(cells[7].outputs) == 2


@pytest.mark.parametrize("cell", [8, 9, 10])
def test_a_cell_awaits_a_line_sees_locals_and_options_take_variables(
    cells: list[Any], cell: int
) -> None:
    value = cells[cell].outputs[-1]
    assert value.output_type == "execute_result", value
    assert value.data["text/plain"] == "torch.Size([1, 8, 64])"


def test_an_explorer_keeps_no_model(cells: list[Any]) -> None:
    (output,) = cells[11].outputs
    assert output.get("text") == "[None, None] 1\n", output
