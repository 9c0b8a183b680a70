from __future__ import annotations

import io
import re
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from ipy_fastcompile.notebook import progress
from ipy_fastcompile.notebook.progress import (
    STAGES,
    NotebookBar,
    SilentBar,
    TerminalBar,
    describe,
    draw_bar,
    fraction,
    make_bar,
)
from ipy_fastcompile.records import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Page:
    """Stands for `IPython.display.display`: what is on the page now, and every update."""

    def __init__(self) -> None:
        self.history: list[dict[str, str]] = []
        self.outputs = 0

    def __call__(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Page:
        assert raw
        assert display_id
        self.outputs += 1
        self.history.append(bundle)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.history.append(bundle)


class Clock:
    """Stands for the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page()
    monkeypatch.setattr(progress, "display", page)
    return page


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_the_fraction_never_goes_back() -> None:
    steps = [Progress(stage, done, 3) for stage in STAGES for done in range(4)]
    shares = [fraction(STAGES, step) for step in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


@pytest.mark.parametrize(
    ("record", "share"),
    [
        (Progress("capture", 0, 0), 0),
        (Progress("split", 5, 1), 2 / 7),
        (Progress("unheard of", 1, 1), 0),
    ],
)
def test_the_fraction_of_odd_records(record: Progress, share: float) -> None:
    assert fraction(STAGES, record) == pytest.approx(share)


def steps_of(programs: int) -> list[Progress]:
    """All are captured before the first of them is split."""
    return [
        Progress(stage, done, 3, "", f"call_{before}", before, programs)
        for stages in (STAGES[:1], STAGES[1:4])
        for before in range(programs)
        for stage in stages
        for done in range(4)
    ]


def test_the_fraction_never_goes_back_from_one_program_to_the_next() -> None:
    steps = steps_of(3)
    after = [Progress(stage, done, 1) for stage in STAGES[4:] for done in range(2)]
    shares = [fraction(STAGES, step) for step in [*steps, *after]]
    assert shares == sorted(shares)
    assert (shares[0], shares[len(steps)], shares[-1]) == (0, pytest.approx(4 / 7), 1)


def test_a_bar_waits_where_a_program_turns_out_to_be_several(page: Page) -> None:
    bar = NotebookBar(STAGES)
    for step in [*steps_of(1)[:4], *steps_of(2), Progress("pack", 0, 1)]:
        bar.update(step)
    found = [re.search(r"width:(\d+)%", bundle["text/html"]) for bundle in page.history]
    widths = [int(width[1]) for width in found if width]
    assert len(widths) == len(page.history) == 8
    assert widths == sorted(widths)
    assert widths[-1] == 57


def test_a_record_in_words() -> None:
    assert describe(Progress("lower", 2, 3, "submod_4")) == "lower 2/3: submod_4"
    of_several = Progress("lower", 2, 3, "submod_4", "call_1", 1, 2)
    assert describe(of_several) == "call_1 (2 of 2), lower 2/3: submod_4"
    assert describe(Progress("capture", 0, 1)) == "capture"


def test_a_terminal_shows_one_line_and_erases_it() -> None:
    stream = Terminal()
    bar = TerminalBar(STAGES, stream)
    bar.update(Progress("capture", 0, 1))
    bar.update(Progress("lower", 2, 3, "submod_4"))
    bar.finish()
    drawn = stream.getvalue().split("\r\x1b[K")
    assert "\n" not in stream.getvalue()
    assert [line.split(" ", 1)[1] for line in drawn if line] == [
        "capture 0 s",
        "lower 2/3: submod_4 0 s",
    ]
    assert drawn[-1] == ""


def test_what_is_no_terminal_gets_nothing() -> None:
    stream = io.StringIO()
    bar = TerminalBar(STAGES, stream)
    bar.update(Progress("capture", 0, 1))
    bar.finish()
    assert stream.getvalue() == ""


def test_a_page_holds_one_output_that_becomes_the_result(page: Page, clock: Clock) -> None:
    bar = NotebookBar(STAGES)
    bar.update(Progress("capture", 0, 1))
    clock.now = 2.0
    bar.update(Progress("lower", 1, 3))
    bar.finish({"text/plain": "the report"})
    assert page.outputs == 1
    assert [bundle["text/plain"] for bundle in page.history] == [
        "capture (0 s)",
        "lower 1/3 (2 s)",
        "the report",
    ]


def test_a_page_is_not_updated_more_often_than_can_be_seen(page: Page, clock: Clock) -> None:
    bar = NotebookBar(STAGES)
    for done in range(100):
        clock.now = done / 100
        bar.update(Progress("lower", done, 100))
    bar.update(Progress("codegen", 0, 1))
    assert 5 <= len(page.history) <= 12
    assert page.history[-1]["text/plain"] == "codegen (1 s)"


def test_a_page_says_where_the_work_stopped(page: Page, clock: Clock) -> None:
    bar = NotebookBar(STAGES)
    bar.update(Progress("lower", 1, 3))
    clock.now = 1.5
    bar.finish()
    assert page.history[-1]["text/plain"] == "fastcompile stopped at stage lower after 1.5 s"
    bar.update(Progress("capture", 0, 1, "", "call_1", 1, 2))
    bar.finish()
    said = "fastcompile stopped at stage capture of call_1 after 1.5 s"
    assert page.history[-1]["text/plain"] == said


def test_a_page_stays_empty_when_nothing_happened(page: Page) -> None:
    NotebookBar(STAGES).finish()
    assert page.history == []


def test_hostile_details_are_escaped() -> None:
    html = draw_bar(0, Progress("lower", 0, 1, "<script>x</script>"), 0)["text/html"]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_bar_fits_the_frontend(shell: InteractiveShell) -> None:
    assert isinstance(make_bar(in_notebook=True, quiet=True), SilentBar)
    assert isinstance(make_bar(in_notebook=False, quiet=False), TerminalBar)
    bar: Any = make_bar(in_notebook=True, quiet=False, checks=False, races=False)
    with capture_output() as captured:
        bar.update(Progress("pack", 1, 1))
        bar.finish({"text/plain": "done"})
    # Without the proof, packing is the end.
    assert "width:100%" in captured.outputs[0].data["text/html"]
    assert captured.outputs[-1].data == {"text/plain": "done"}
    assert captured.outputs[-1].update
