"""How two compiles side by side show themselves."""

from __future__ import annotations

from dataclasses import replace

from ipy_fastcompile.comparing.reports import compare_reports
from ipy_fastcompile.records import Report
from ipy_fastcompile.show.comparison import mime_bundle
from tests.unit.show.golden import check_golden
from tests.unit.show.sample import sample_report


def test_golden(report: Report) -> None:
    other = replace(sample_report(5, near_twin=True), torch="2.14.0+cpu", eager=None)
    shown = mime_bundle(compare_reports(report, other, ("before.fastcompile", "after.fastcompile")))
    check_golden("comparison.txt", shown["text/plain"])
    check_golden("comparison.html", shown["text/html"])


def test_where_nothing_differs_it_says_so(report: Report) -> None:
    found = compare_reports(report, report, ("a", "b"))
    assert "Nothing but times differs." in str(found)
    assert repr(found) == "<a beside b: equal but for times>"


def test_nothing_that_a_report_says_steers_a_page(hostile_report: Report, report: Report) -> None:
    shown = mime_bundle(compare_reports(hostile_report, report, ("<script>", "\x1b[31m")))
    assert "<script>" not in shown["text/html"]
    assert "\x1b" not in shown["text/plain"]
