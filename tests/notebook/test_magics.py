"""Magics with a compiler that only records: what they ask of it, what they show and say."""

from __future__ import annotations

import gc
import re
import sys
import weakref
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile import errors
from ipy_fastcompile.cache import cached
from ipy_fastcompile.notebook.compile_magic import FastCompileMagics
from ipy_fastcompile.notebook.mistakes import BAD_INPUT

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def page(shell: InteractiveShell) -> InteractiveShell:
    """The shell as a kernel has it: there is a page that shows HTML and widgets."""
    shell.kernel = object()
    return shell


# --- what is compiled ----------------------------------------------------------------------------


def test_a_cell_is_compiled_with_its_options(api: Any, model: Any, run: Any) -> None:
    cell = run("%%fastcompile --dynamic x:0=n --split-at aten::mm --sizes n=1\nmodel(4, by=3)")
    assert cell.error is None
    assert cell.value == 12
    options = {"dynamic": {"x": {0: "n"}}, "split_at": ("aten::mm",), "sizes": {"n": [1]}}
    assert api.compiled == [(model, (4,), {"by": 3}, options)]


def test_a_line_is_compiled(api: Any, model: Any, run: Any) -> None:
    assert run("y = %fastcompile -q model(4)\ny + 1").value == 41
    assert api.compiled[0][:2] == (model, (4,))
    assert api.compiled[0][3] == {"dynamic": None, "split_at": None, "sizes": None}


def test_braces_and_dollars_in_a_line_are_code(api: Any, model: Any, run: Any) -> None:
    run("%fastcompile -q model({'x': '$HOME'}['x'])")
    assert api.compiled[0][1] == ("$HOME",)


def test_the_result_object_is_stored(
    shell: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    run("%%fastcompile -o compiled\nmodel(4)")
    assert shell.user_ns["compiled"] is api.results[0]


@pytest.mark.parametrize(
    "text", ["%%fastcompile\nmodel(4);", "%fastcompile model(4);", "%%fastcompile\nmodel(4); # no"]
)
def test_a_semicolon_silences_the_value(api: Any, model: Any, run: Any, text: str) -> None:
    cell = run(text)
    assert (cell.error, cell.value) == (None, None)
    assert len(api.compiled) == 1
    assert len(cell.io.outputs) == 1  # the report


def test_the_first_call_of_a_name_is_compiled(
    shell: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    shell.user_ns["pipe"] = SimpleNamespace(unet=model)
    cell = run("%%fastcompile -m pipe.unet -q\nout = pipe.unet(5)\nout + 1")
    assert cell.value == 51
    assert api.compiled[0][:3] == (model, (5,), {})
    assert shell.user_ns["pipe"].unet is model


def test_every_kind_of_call_of_a_name_is_compiled_and_the_cell_runs_once_more(
    shell: InteractiveShell, api: Any, run: Any
) -> None:
    class Scale(torch.nn.Module):
        def forward(self, x: int, by: float = 1.0) -> float:
            return x * by

    shell.user_ns.update(scale=Scale(), seen=[])
    cell = run("%%fastcompile -m scale -q\nseen.append(scale(3))\nscale(3) + scale(5, by=2.0)")
    assert cell.value == 13
    assert len(shell.user_ns["seen"]) == 2
    ((model, args, kwargs, options),) = api.compiled
    assert (model, args, kwargs) == (shell.user_ns["scale"], (), {})
    assert [(kind.name, kind.count) for kind in options["calls"]] == [("call_0", 2), ("call_1", 1)]
    assert api.results[0].installed_in == [shell.user_ns["scale"]]


# --- save and measure ----------------------------------------------------------------------------


def test_the_artifact_is_saved_and_raced(api: Any, model: Any, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    run(f"%%fastcompile --save {path} --runs 5\nmodel(4)")
    assert api.results[0].saved == [path]
    assert api.raced == [{"runs": 5}]
    assert api.races[0].compiled is api.results[0]


def test_without_warm_nothing_is_measured(api: Any, model: Any, run: Any) -> None:
    run("%%fastcompile --no-warm\nmodel(4)")
    assert len(api.compiled) == 1
    assert api.raced == []


def test_settings_hold_where_no_option_speaks(
    magics: FastCompileMagics, api: Any, model: Any, run: Any
) -> None:
    run("%config FastCompileMagics.runs = 7")
    run("%fastcompile model(4)")
    run("%fastcompile --runs 2 model(4)")
    run("%config FastCompileMagics.warm = False")
    run("%fastcompile model(4)")
    assert [raced["runs"] for raced in api.raced] == [7, 2]


def test_a_path_that_cannot_be_written_is_found_before_the_compile(
    shell: InteractiveShell, api: Any, model: Any, run: Any, tmp_path: Path
) -> None:
    cell = run(f"%%fastcompile --save {tmp_path}/no/a.fastcompile\nran = True\nmodel(4)")
    assert isinstance(cell.error, UsageError)
    assert "there is no folder" in str(cell.error)
    assert api.compiled == []
    assert "ran" not in shell.user_ns


def test_an_artifact_survives_a_compile_that_fails(
    api: Any, model: Any, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.fastcompile"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", "{}")
    before = path.read_bytes()
    api.error = errors.CaptureError("No.", "Mend it.")
    assert isinstance(run(f"%%fastcompile --save {path}\nmodel(4)").error, UsageError)
    assert path.read_bytes() == before


def test_what_was_compiled_is_kept_when_saving_fails(
    shell: InteractiveShell, api: Any, model: Any, run: Any, tmp_path: Path
) -> None:
    api.save_error = errors.SaveError("The disk is full.")
    cell = run(f"%%fastcompile --save {tmp_path}/a.fastcompile -o compiled\nmodel(4)")
    assert cell.io.stderr == "UsageError: The disk is full.\n"
    assert shell.user_ns["compiled"] is api.results[0]


def test_nothing_is_measured_that_nobody_sees(api: Any, model: Any, run: Any) -> None:
    run("%fastcompile -q model(4)")
    assert api.raced == []
    run("%fastcompile -q -o compiled model(4)")
    assert len(api.raced) == 1


# --- what is shown -------------------------------------------------------------------------------


def test_a_terminal_shows_the_text_report_and_no_explorer(api: Any, model: Any, run: Any) -> None:
    cell = run("%%fastcompile\nmodel(4);")
    assert len(cell.io.outputs) == 1
    assert "submod_0" in cell.plain[0]
    assert cell.io.stderr == ""


def test_a_page_shows_progress_then_report_then_explorer(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    cell = run("%%fastcompile\nmodel(4);")
    first, *updates, explorer = cell.io.outputs
    assert "capture" in first.data["text/plain"]
    assert [first.update, {output.update for output in updates}] == [False, {True}]
    shown = [output.data["text/plain"] for output in updates[:-1]]
    for words in ("lower 1/3: submod_4", "check: against eager", "reload 1/3: fx"):
        assert any(words in text for text in shown)
    # The report stands on its own in the place of the bar; the explorer is an output beside it.
    assert "submod_0" in updates[-1].data["text/plain"]
    assert "<table" in updates[-1].data["text/html"]
    assert WIDGET in explorer.data
    assert WIDGET not in updates[-1].data


@pytest.mark.parametrize(
    "text",
    [
        "%%fastcompile --no-explorer\nmodel(4);",
        "%config FastCompileMagics.explorer = False\n%fastcompile model(4);",
    ],
)
def test_the_explorer_can_be_left_out(
    page: InteractiveShell, api: Any, model: Any, run: Any, text: str
) -> None:
    outputs = run(text).io.outputs
    assert "text/html" in outputs[-1].data
    assert all(WIDGET not in output.data for output in outputs)


def test_quiet_shows_nothing(page: InteractiveShell, api: Any, model: Any, run: Any) -> None:
    cell = run("%%fastcompile -q\nmodel(4);")
    assert (cell.io.outputs, cell.io.stdout, cell.io.stderr) == ([], "", "")
    assert len(api.compiled) == 1


def test_running_a_cell_again_closes_its_explorer_only(
    page: InteractiveShell, magics: FastCompileMagics, api: Any, model: Any, run: Any
) -> None:
    run("%%fastcompile\nmodel(4)")
    (first,) = magics.explorers.values()
    run("%%fastcompile\nmodel(5)")
    assert not first.closed
    run("%%fastcompile\nmodel(4)")
    assert first.closed
    assert [widget.closed for widget in magics.explorers.values()] == [False, False]


def test_an_edited_cell_is_known_by_the_id_that_the_page_gives_it(
    page: InteractiveShell, magics: FastCompileMagics, api: Any, model: Any, run: Any
) -> None:
    page.get_parent = lambda: {"metadata": {"cellId": "a-b-c"}}
    run("%%fastcompile\nmodel(4)")
    (first,) = magics.explorers.values()
    run("%%fastcompile --no-warm\nmodel(5)")
    assert first.closed
    assert list(magics.explorers) == ["a-b-c"]


# --- what is said --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_one_sentence(
    page: InteractiveShell, api: Any, model: Any, run: Any, kind: type[Exception]
) -> None:
    api.error = kind("The model has a branch on data in model.py:3.", "Move it out.")
    cell = run("%%fastcompile\nmodel(4)")
    assert isinstance(cell.error, UsageError)
    assert cell.error.__cause__ is api.error
    said = "UsageError: The model has a branch on data in model.py:3. Move it out.\n"
    assert cell.io.stderr == said
    assert cell.io.stdout == ""
    # The bar does not stay half full.
    stopped = cell.io.outputs[-1].data["text/plain"]
    assert re.fullmatch(r"fastcompile stopped at stage lower after [\d.]+ s", stopped)


def test_an_error_in_one_sentence_keeps_no_model(
    shell: InteractiveShell, magics: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model:
        def __call__(self, x: int) -> int:
            return x

    def compile(model: Any, *call: Any, **options: Any) -> None:
        def inner() -> None:  # its closure outlives the locals of its frame
            raise errors.CaptureError(f"{type(model).__name__} branches.")

        try:
            inner()
        except errors.CaptureError as error:
            raise errors.CaptureError("The model has a branch.") from error

    monkeypatch.setattr(cached, "compile_cached", compile)
    shell.user_ns["model"] = Model()
    model = weakref.ref(shell.user_ns["model"])
    cell = run("%%fastcompile\nmodel(4)")
    assert isinstance(cell.error, UsageError)
    assert "Model branches" in str(cell.error.__cause__.__cause__)
    del shell.user_ns["model"]
    gc.collect()
    assert model() is None
    if sys.version_info >= (3, 11):
        assert "in inner" in "".join(cell.error.__cause__.__cause__.__notes__)


def test_what_is_not_the_user_s_fault_keeps_its_traceback(api: Any, model: Any, run: Any) -> None:
    api.error = errors.LowerError("Inductor failed on submod_3.")
    cell = run("%%fastcompile\nmodel(4)")
    assert cell.error is api.error
    assert cell.printed.count("LowerError: Inductor failed on submod_3.") == 1


def test_an_exception_of_the_cell_surfaces_once_with_its_line(
    api: Any, model: Any, run: Any, shell: InteractiveShell
) -> None:
    cell = run("%%fastcompile\nvalue = 0\nbroken = 1 / value\nmodel(4)")
    assert isinstance(cell.error, ZeroDivisionError)
    shown = cell.printed
    assert shown.count("ZeroDivisionError: division by zero") == 1
    assert re.search(r"--+> 3 .*broken = 1 / value", shown)
    assert api.compiled == []


def test_an_interrupt_leaves_no_half_full_bar(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    api.error = KeyboardInterrupt()
    cell = run("%%fastcompile\nmodel(4)")
    assert isinstance(cell.error, KeyboardInterrupt)
    assert "stopped at stage lower" in cell.io.outputs[-1].data["text/plain"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%fastcompile", "There is nothing to compile: write %fastcompile model(x)"),
        ("%%fastcompile\n  \n", "There is nothing to compile: write %fastcompile model(x)"),
        ("%%fastcompile\nx = 1", "The last statement of the cell, 'x = 1', is not a call."),
        ("%%fastcompile\nprint(model(4))", "print is a built-in function, not a model."),
        ("%%fastcompile --svae a\nmodel(4)", "%fastcompile has no option --svae. Did you mean"),
        ("%%fastcompile -m modle\nmodel(4)", "There is no modle to compile. Did you mean model?"),
        ("%fastcompile_load a.fastcompile", "Two things are needed: %fastcompile_load PATH MODEL."),
        ("%fastcompile_load a modle", "There is no modle to take the weights from. Did you mean"),
        ("%fastcompile_load a model --via x", "argument --via: invalid choice: 'x'"),
        (
            "%fastcompile_load a model b",
            "unrecognized arguments: b. %fastcompile_load? shows what it takes.",
        ),
        (
            "%fastcompile_load a model -o",
            "argument -o/--output: expected one argument. %fastcompile_load? shows",
        ),
        (
            "%%fastcompile --race --no-warm\nmodel(4)",
            "--race asks for the warm reload to be timed, and --no-warm forbids it.",
        ),
        (
            "%%fastcompile --runs many\nmodel(4)",
            "argument --runs: invalid int value: 'many'. %fastcompile? shows",
        ),
        ("%fastcompile_inspect", "The path of an artifact is needed"),
        ("%fastcompile_inspect a --out x", "%fastcompile_inspect has no option --out."),
    ],
)
def test_bad_lines_are_one_sentence(api: Any, model: Any, run: Any, text: str, said: str) -> None:
    cell = run(text)
    assert isinstance(cell.error, UsageError)
    assert str(cell.error).startswith(said)
    assert "\n" not in str(cell.error)
    assert cell.io.stdout == ""
    assert api.compiled == []


@pytest.mark.parametrize("magic", ["fastcompile", "fastcompile_load", "fastcompile_inspect"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_usage_is_shown_on_request(api: Any, run: Any, magic: str, flag: str) -> None:
    cell = run(f"%{magic} {flag}")
    assert cell.error is None
    assert cell.plain[0].startswith(f"::\n\n  %{magic} [")
    assert "Examples::" in cell.plain[0]


def test_usage_of_the_cell_form_runs_nothing(
    shell: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    assert "%fastcompile [" in run("%%fastcompile -h\nran = True\nmodel(4)").plain[0]
    assert "ran" not in shell.user_ns


def test_a_question_mark_shows_the_usage(shell: InteractiveShell, api: Any) -> None:
    found = shell.object_inspect("%fastcompile")
    assert "--split-at" in found["docstring"]


# --- load and inspect ----------------------------------------------------------------------------


def test_load_gives_the_callable(
    shell: InteractiveShell, api: Any, model: Any, run: Any, tmp_path: Path
) -> None:
    cell = run(f"fn = %fastcompile_load {tmp_path}/a.fastcompile model\nfn(1)")
    assert cell.value == "loaded 1"
    options = {"via": "native", "trust": None, "on_mismatch": "error"}
    assert api.loaded == [(tmp_path / "a.fastcompile", model, options)]
    assert re.fullmatch(
        r".*a.fastcompile: loaded along the native path in [\d.]+ ms", cell.plain[0]
    )


def test_load_says_which_programs_there_are_and_what_they_take(
    api: Any, model: Any, run: Any
) -> None:
    api.programs = ("prefill", "step")
    _, *lines = run("fn = %fastcompile_load a.fastcompile model").plain[0].splitlines()
    assert lines == [
        "2 programs; a call runs the one that it fits:",
        "  prefill  x int64[n]",
        "  step     x int64[n]",
    ]


def test_load_stores_the_callable(shell: InteractiveShell, api: Any, model: Any, run: Any) -> None:
    shell.user_ns["folder"] = "/data"
    cell = run(
        "%fastcompile_load $folder/a.fastcompile model -o fn --via torch"
        " --trust sha256:00 --on-mismatch recompile"
    )
    assert cell.value is None
    assert shell.user_ns["fn"](2) == "loaded 2"
    options = {"via": "torch", "trust": "sha256:00", "on_mismatch": "recompile"}
    assert api.loaded == [(Path("/data/a.fastcompile"), model, options)]


def test_inspect_shows_one_or_compares_two(shell: InteractiveShell, api: Any, run: Any) -> None:
    assert run("%fastcompile_inspect a.fastcompile").plain == ["what is in a.fastcompile"]
    assert run("%fastcompile_inspect a b -o info").plain == ["a against b"]
    assert shell.user_ns["info"] == "a against b"


@pytest.mark.parametrize("text", ["%fastcompile_inspect a", "%fastcompile_load a model"])
def test_an_artifact_that_is_refused_is_one_sentence(
    api: Any, model: Any, run: Any, text: str
) -> None:
    api.error = errors.ArtifactCorrupt("a is truncated.", "Save it again.")
    cell = run(text)
    assert cell.io.stderr == "UsageError: a is truncated. Save it again.\n"


def test_variables_in_options_of_a_cell(
    shell: InteractiveShell, api: Any, run: Any, tmp_path: Path
) -> None:
    shell.user_ns.update(model=lambda x: x, folder=tmp_path, name="run 7", more="--no-warm -q")
    cell = run('%%fastcompile {more} --save "{folder}/{name}.fastcompile"\nmodel({1: 2})')
    assert cell.error is None
    assert api.results[0].saved == [tmp_path / "run 7.fastcompile"]
    assert cell.value == {1: 2}
    assert run('%fastcompile_load "{folder}/$name" model').error is None
    assert api.loaded[0][0] == tmp_path / "run 7"


def test_what_is_no_variable_stays_as_it_is_written(
    shell: InteractiveShell, api: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.user_ns.update(model=lambda x: x)
    monkeypatch.chdir(tmp_path)
    assert run("%%fastcompile -q --save {nobody}.fastcompile\nmodel(1)").error is None
    assert run("%fastcompile_load {nobody}.fastcompile model").error is None
    assert api.results[0].saved == [Path("{nobody}.fastcompile")]
    assert api.loaded[0][0] == Path("{nobody}.fastcompile")
