from __future__ import annotations

import unicodedata

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.text import render_text
from tests.unit.show.golden import check_golden
from tests.unit.show.sample import sample_report


def test_golden(report: Report, near_twin_report: Report) -> None:
    check_golden("report.txt", render_text(report))
    check_golden("report_near_twin.txt", render_text(near_twin_report))


def test_golden_80_layers() -> None:
    text = render_text(sample_report(80))
    check_golden("report_80.txt", text)
    assert len(text) < 12_000


def test_nothing_compiled_is_said(empty_report: Report) -> None:
    text = render_text(empty_report)
    assert "Nothing was compiled" in text
    assert "Warm reload: not measured." in text


def test_hostile_strings_are_inert(hostile_report: Report) -> None:
    text = render_text(hostile_report)
    steering = {
        character
        for character in text.replace("\n", "").replace("\t", "")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    assert steering == set()
    assert "\\u202e" in text
    assert "\\x1b[31m" in text


def test_a_failed_path_says_why() -> None:
    text = render_text(sample_report(2))
    assert "failed: InvalidCxxCompiler" in text
