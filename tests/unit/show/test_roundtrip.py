from __future__ import annotations

import pytest

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.html import render_html
from ipy_fastcompile.show.text import render_text
from tests.unit.show.sample import sample_report


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_report_goes_to_json_and_back(layers: int) -> None:
    report = sample_report(layers, near_twin=layers == 4)
    again = Report.from_json(report.to_json())
    assert again == report
    assert render_text(again) == render_text(report)
    assert render_html(again) == render_html(report)
