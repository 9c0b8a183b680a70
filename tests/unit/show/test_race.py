from __future__ import annotations

from dataclasses import replace

import pytest

from ipy_fastcompile.records import Report, Standing
from ipy_fastcompile.show.facts import medians_note
from ipy_fastcompile.show.html import render_html
from ipy_fastcompile.show.race import race_html, race_text
from ipy_fastcompile.show.text import render_text


@pytest.fixture
def fresh(report: Report) -> Report:
    """The report of a compile that nobody has raced."""
    return replace(report, reloads=())


def test_a_race_shows_the_paths_that_have_run(report: Report, fresh: Report) -> None:
    native, torch = report.reloads[:2]
    assert race_text(fresh, Standing("running", total=9)) == ""
    assert race_html(fresh, Standing("running", total=9)) == []
    text = race_text(fresh, Standing("running", (native, torch), 2, 9, "fx"))
    rows = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert [row for row in rows if row in ("native", "torch", "fx")] == ["native", "torch"]
    assert "Medians of 3 runs." in text
    whole = race_text(fresh, Standing("done", report.reloads[:3], 9, 9))
    assert whole in render_text(replace(report, reloads=report.reloads[:3]))
    html = "".join(race_html(fresh, Standing("done", report.reloads[:3], 9, 9)))
    assert html in render_html(replace(report, reloads=report.reloads[:3]))


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_race_that_ended_early_says_why(fresh: Report, state: str) -> None:
    standing = Standing(state, (), 1, 9, problem="no <space>\x1b left")
    said = f"Warm reload {state} after 1 fresh process: no <space>\\x1b left."
    assert race_text(fresh, standing) == said
    (html,) = race_html(fresh, standing)
    assert "no &lt;space&gt;" in html
    assert "\x1b" not in html


def test_runs_that_differ_and_their_day_are_told(report: Report) -> None:
    day = {"measured": "2026-11-27T12:03:11+00:00", "machine": "a CPU, 2 cores"}
    native, torch, fx = (replace(record, **day) for record in report.reloads[:3])
    assert medians_note((native, torch, fx)) == (
        "Medians of 3 runs. Measured 2026-11-27 12:03 on a CPU, 2 cores."
    )
    assert medians_note((replace(native, runs=7), torch, replace(fx, runs=1))).startswith(
        "Medians of 7 runs of native, 3 runs of torch and 1 run of fx. Measured"
    )


def test_the_report_says_where_a_race_is_to_be_seen(report: Report, fresh: Report) -> None:
    note = "timed beside this session; the table is below."
    for shown in (render_text(fresh, note), render_html(fresh, note)):
        assert f"Warm reload: {note}" in shown
    changed = "The machine has changed."
    for shown in (render_text(report, changed), render_html(report, changed)):
        assert changed in shown
        assert "Warm reload: " not in shown
