"""Whether a cell races, whether it waits for that, and what it shows meanwhile."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Configurable

from ipy_fastcompile.notebook.arguments import Options
from ipy_fastcompile.notebook.at_prompt import RaceAtPrompt
from ipy_fastcompile.notebook.magics import unregister
from ipy_fastcompile.notebook.racing import is_attended, race_note, wants_race
from ipy_fastcompile.records import Standing
from ipy_fastcompile.runtime.machine import describe_track
from tests.unit.show.sample import sample_report

WIDGET = "application/vnd.jupyter.widget-view+json"
RACED = sample_report(1)
HERE = tuple(replace(r, machine=describe_track()) for r in RACED.reloads if not r.shipped)


@pytest.fixture
def page(shell: InteractiveShell) -> InteractiveShell:
    """The shell as the kernel of a notebook that somebody looks at has it."""
    shell.kernel = object()
    shell.get_parent = lambda: {"content": {"allow_stdin": True}}
    return shell


# --- whether -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cache", "reloads", "race", "wanted"),
    [
        ("miss", (), False, True),
        ("hit", HERE, False, False),
        ("hit", HERE, True, True),
        ("hit", (), False, True),
        ("hit", tuple(replace(r, shipped=True) for r in HERE), False, True),
        ("hit", tuple(replace(r, machine="another, 64 cores") for r in HERE), False, True),
    ],
)
def test_a_hit_runs_no_race_that_is_known(
    cache: str, reloads: Any, race: bool, wanted: bool
) -> None:
    report = replace(RACED, cache=cache, reloads=reloads)
    assert wants_race(Options(race=race), report) is wanted
    assert wants_race(Options(race=race, runs=1), report), "who says how many asks for them"


def test_another_machine_is_named() -> None:
    elsewhere = tuple(replace(r, machine="another, 64 cores") for r in HERE)
    report = replace(RACED, reloads=elsewhere)
    said = f"The machine has changed: it was another, 64 cores, and is {describe_track()}."
    assert race_note(report, None, is_begun=False, in_notebook=True) == said
    begun = race_note(report, None, is_begun=True, in_notebook=True)
    assert (
        begun == f"{said} It is timed beside this session, in fresh processes; the table is below."
    )
    asked = race_note(replace(RACED, reloads=HERE), None, is_begun=True, in_notebook=False)
    assert asked == "It is timed beside this session, in fresh processes; the table follows."


@pytest.mark.parametrize(
    ("request_", "attended"),
    [
        ({"content": {"allow_stdin": True}}, True),
        ({"content": {"allow_stdin": False}}, False),  # nbclient, nbconvert, papermill
        ({"content": {}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_request_says_whether_somebody_is_there(
    shell: InteractiveShell, request_: Any, attended: bool
) -> None:
    shell.kernel = object()
    shell.get_parent = lambda: request_
    assert is_attended(shell) is attended


def test_a_terminal_is_attended_while_it_has_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    class Application(Configurable):
        interact = True

    shell = TerminalInteractiveShell.__new__(TerminalInteractiveShell)
    monkeypatch.setattr(sys, "stdin", Terminal())
    shell.parent = Application()
    assert is_attended(shell)
    shell.parent.interact = False  # ipython script.ipy
    assert not is_attended(shell)
    shell.parent = None  # embedded
    assert is_attended(shell)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert not is_attended(shell)


# --- beside --------------------------------------------------------------------------------------


def test_a_page_shows_the_report_at_once_and_the_race_as_it_goes(
    page: InteractiveShell, magics: Any, api: Any, model: Any, run: Any
) -> None:
    api.unraced = True
    cell = run("%%fastcompile\nmodel(4)")
    assert cell.value == 40
    report, race, explorer = _shown(cell.io.outputs)[:3]
    assert "Warm reload: timed beside this session" in report
    assert race == "warm reload (0 s)"
    assert explorer == "the explorer"
    (begun,) = api.races
    with capture_output() as io:
        begun.go(1)
        begun.go(3, "done")
    first, last = [output.data["text/plain"] for output in io.outputs]
    assert all(output.update for output in io.outputs)
    assert first.startswith("warm reload 1/3: fx (")
    assert "native" in first
    assert "Warm reload, on the machine that compiled" in last
    assert "warm reload 3/3" not in last
    (widget,) = magics.explorers.values()
    assert [standing.done for standing in widget.standings] == [1, 3]


def test_wait_waits_and_nobody_is_waited_for_twice(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    cell = run("%%fastcompile --wait --no-explorer\nmodel(4);")
    assert cell.io.outputs[-1].update
    assert "reload 1/3: fx" in cell.plain[-2]
    assert "Warm reload, on the machine that compiled" in cell.plain[-1]
    assert len(api.races) == 1


def test_a_race_that_was_waited_for_and_failed_is_told(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    api.race_ends, api.unraced = "failed", True
    cell = run("%%fastcompile --wait --no-explorer\nmodel(4);")
    assert "Warm reload: failed after 3 fresh processes: the disk is full." in cell.plain[-1]


def test_a_hit_shows_its_race_and_runs_none(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    api.hit = True
    cell = run("%%fastcompile --no-explorer\nmodel(4);")
    assert api.raced == []
    assert "Warm reload, on the machine that compiled" in cell.plain[-1]
    run("%%fastcompile --no-explorer --race\nmodel(4);")
    assert len(api.raced) == 1


def test_a_new_cell_of_the_model_or_the_same_cell_ends_the_race(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    run("%%fastcompile --no-explorer\nmodel(4);")
    run("%%fastcompile --no-explorer --no-warm\nlen([4]) and (lambda x: x)(5);")
    assert api.races[0].stopped == []
    run("%%fastcompile --no-explorer --no-warm\nmodel(5);")
    assert api.races[0].stopped == ["a new cell compiles its model"]
    page.user_ns["model"] = lambda x: x
    run("%%fastcompile --no-explorer --no-warm\nmodel(4);")
    assert len(api.races[0].stopped) == 2


def test_the_race_ends_with_the_extension(
    page: InteractiveShell, api: Any, model: Any, run: Any
) -> None:
    run("%%fastcompile --no-explorer\nmodel(4);")
    unregister(page)
    assert api.races[0].stopped == ["the extension was unloaded"]


def test_a_quiet_race_shows_nothing(page: InteractiveShell, api: Any, model: Any, run: Any) -> None:
    assert run("%%fastcompile -q -o compiled\nmodel(4);").io.outputs == []
    with capture_output() as io:
        api.races[0].go(3, "done")
    assert io.outputs == []


# --- in a terminal -------------------------------------------------------------------------------


def test_a_terminal_gets_the_table_after_the_next_cell(shell: InteractiveShell, run: Any) -> None:
    output = RaceAtPrompt(shell, replace(RACED, reloads=()))
    with capture_output() as io:
        output.update(Standing("running", HERE[:1], 1, 3, "fx"))
        output.update(Standing("done", HERE, 3, 3))
    assert io.outputs == []
    (table,) = run("4;").plain
    assert table.startswith("Warm reload, on the machine that compiled")
    assert run("5;").plain == []


def _shown(outputs: Any) -> list[str]:
    """The outputs of a cell in the end: each display with its last update, in order."""
    shown: list[Any] = []
    for output in outputs:
        if output.update:
            of = output.transient["display_id"]
            index = next(i for i, o in enumerate(shown) if o.transient.get("display_id") == of)
            shown[index] = output
        else:
            shown.append(output)
    return [output.data["text/plain"] for output in shown]
