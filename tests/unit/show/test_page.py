from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.content import Contents
from ipy_fastcompile.show.page import render_page, write_page
from ipy_fastcompile.show.view import make_view
from tests.unit.show.sample import sample_report


def embedded(page: str) -> dict[str, dict[str, str]]:
    data = re.search(
        r'<script type="application/json" class="fc-data">(.*?)</script>', page, re.DOTALL
    )
    assert data is not None
    found: dict[str, dict[str, str]] = json.loads(data[1])
    return found


def test_the_page_holds_every_content(report: Report) -> None:
    data = embedded(render_page(report))
    contents = Contents(make_view(report))
    start = set(data["state"]["data"]["start"])  # type: ignore[index]
    assert set(contents.keys()) <= set(data["contents"]) | start
    for key, body in data["contents"].items():
        assert json.loads(body) == json.loads(json.dumps(contents.answer(key)))
    assert {f"text:{name}" for name in contents.documents.names()} <= set(data["contents"])


def test_nothing_is_fetched(report: Report) -> None:
    page = render_page(report)
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    outside = set(re.findall(r"""(?:https?:)?//[\w.-]+\.\w+""", page))
    # Names of XML namespaces are not fetched.
    assert outside <= {"http://www.w3.org"}
    assert not re.search(r"<link|<iframe|@import|\bfetch\(|XMLHttpRequest|WebSocket", page)


def test_hostile_strings_cannot_leave_the_data(hostile_report: Report) -> None:
    page = render_page(hostile_report)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<img src=x" not in page
    assert "<!--" not in page
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]", page
    )
    assert "<script>alert(1)" in embedded(page)["state"]["data"]["model"]  # type: ignore[index]


@pytest.mark.parametrize("layers", [80])
def test_size(layers: int, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_page(sample_report(layers), path)
    assert path.stat().st_size < 5_000_000


def test_past_the_limit_the_page_says_what_it_lacks(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipy_fastcompile.show.page.EMBEDDED_LIMIT", 20_000)
    page = render_page(report)
    data = embedded(page)
    assert sum(map(len, data["contents"].values())) <= 20_000
    assert "too large for the page" in str(data["missing"])


def test_the_report_writes_it_too(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report.to_html(str(path))
    assert path.read_text("utf-8") == render_page(report)
