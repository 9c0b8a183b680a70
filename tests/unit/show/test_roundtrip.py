from __future__ import annotations

import json

import pytest

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.html import render_html
from ipy_fastcompile.show.text import render_text
from tests.unit.show.sample import sample_report
from tests.unit.show.sample_programs import sample_programs


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_report_goes_to_json_and_back(layers: int) -> None:
    report = sample_report(layers, near_twin=layers == 4)
    again = Report.from_json(report.to_json())
    assert again == report
    assert render_text(again) == render_text(report)
    assert render_html(again) == render_html(report)


def test_programs_go_to_json_and_back() -> None:
    report = sample_programs()
    again = Report.from_json(report.to_json())
    assert again == report
    assert [program.name for program in again.programs] == ["call_0", "call_1"]


def test_a_report_of_before_there_were_programs_is_read() -> None:
    data = json.loads(sample_report(1).to_json())
    del data["name"], data["programs"]
    assert Report.from_json(json.dumps(data)) == sample_report(1)
