"""The report says of every call whether compiling it paid, and which submodules lost."""

from __future__ import annotations

from dataclasses import replace

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.explorer import Explorer
from ipy_fastcompile.show.facts import report_facts, summary, summary_line
from ipy_fastcompile.show.html import render_html
from ipy_fastcompile.show.palette import LOSS_FILL
from ipy_fastcompile.show.pays import (
    beside_eager,
    break_even,
    call_fact,
    eager_fact,
    losses,
    lost,
    pays_table,
)
from ipy_fastcompile.timings import Spread


def slower(report: Report) -> Report:
    assert report.eager is not None
    eager = replace(
        report.eager,
        compiled=Spread(0.0412, 0.04, 0.0425),
        eager=Spread(0.0142, 0.014, 0.0149),
        ratio=Spread(2.9, 2.8, 3.0),
    )
    return replace(report, eager=eager)


def test_the_summary_compares_the_call_with_eager_first(report: Report) -> None:
    assert summary(report)[0] == ("call", "8.9 ms, 2.4\u00d7 faster than eager")
    assert not lost(report)


def test_a_call_that_lost_is_said_in_red(report: Report) -> None:
    worse = slower(report)
    assert lost(worse)
    assert " · call 41.2 ms, 2.9\u00d7 slower than eager · " in summary_line(worse)
    assert LOSS_FILL in render_html(worse)
    assert LOSS_FILL not in render_html(report)
    assert Explorer(worse).data["lost"] is True
    assert Explorer(report).data["lost"] is False


def test_a_call_that_nobody_timed_says_so(report: Report) -> None:
    assert call_fact(replace(report, eager=None)) == "not timed beside eager"


def test_what_somebody_else_compiled_has_no_times(empty_report: Report) -> None:
    assert "call" not in dict(summary(empty_report))


def test_neither_is_faster_unless_it_was_in_three_of_four_turns() -> None:
    assert beside_eager(Spread(1.2, 0.99, 1.4)) == "as fast as eager"
    assert beside_eager(Spread(0.8, 0.7, 1.01)) == "as fast as eager"
    assert beside_eager(Spread(1.2, 1.01, 1.4)) == "1.2\u00d7 slower than eager"
    assert beside_eager(Spread(0.5, 0.4, 0.9)) == "2.0\u00d7 faster than eager"


def test_of_several_programs_the_one_that_gains_least_is_told(report: Report) -> None:
    first, second = replace(report, name="call_0"), replace(slower(report), name="call_1")
    both = replace(report, programs=(first, second))
    assert call_fact(both) == "41.2 ms, 2.9\u00d7 slower than eager in call_1"
    assert lost(both)


def test_the_fact_has_both_spreads_the_day_and_when_the_compile_has_paid(report: Report) -> None:
    assert eager_fact(report) == (
        "a call takes 8.9 ms (8.8 ms to 9.3 ms), in eager 21.6 ms (21 ms to 22.1 ms); 15 calls of "
        "each in turn, 2026-11-22 18:45; the compile, 17.1 s, has paid after 1,351 calls"
    )
    assert eager_fact(slower(report)).endswith("; the compile never pays for itself")


def test_times_of_another_machine_say_so(report: Report) -> None:
    assert "18:45 on x86_64, AVX2, 2 cores; " in eager_fact(replace(report, machine="aarch64"))


def test_it_breaks_even_when_the_whole_cost_is_saved() -> None:
    assert break_even(1.0, 0.3) == "4 calls"
    assert break_even(1.0, 2.0) == "1 call"
    assert break_even(1.0, 0.0) == "no number of calls"


def test_losses_come_before_all_other_facts_the_worst_first(report: Report) -> None:
    told = losses(report)
    assert told == (
        "submod_8 is 2.0\u00d7 slower than eager: 86 \u00b5s instead of 43 \u00b5s",
        "submod_0 (model) holds 98.3 kB, 65.5 kB in eager",
    )
    assert report_facts(report)[1:3] == told


def test_of_many_losses_five_are_named_and_the_others_counted(report: Report) -> None:
    assert report.profile is not None
    slow = replace(report.profile.submodules[-1], compiled_peak=0)
    many = replace(report, profile=replace(report.profile, submodules=(slow,) * 8))
    assert len(losses(many)) == 6
    assert losses(many)[-1] == "and 3 more submodules slower than eager"


def test_the_table_begins_with_the_kernel_that_saves_least(report: Report) -> None:
    rows = [[cell.text for cell in row] for row in pays_table(report).rows]
    assert [row[4] for row in rows] == ["-43 \u00b5s", "126 \u00b5s", "414 \u00b5s"]
    assert rows[0][6] == "never"
    # 6.1 s of compiling, and three submodules save 414 \u00b5s a call.
    assert rows[2][1:2] + rows[2][5:7] == ["3", "6.1 s", "14,735 calls"]
    assert rows[1][-1] == "2.5\u00d7 faster than eager, hungrier"
