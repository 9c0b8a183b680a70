"""Somebody else's artifact as a page: no script, nothing fetched, every string inert."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.foreign.open import open_foreign

RECORDED = Path(__file__).parents[1] / "foreign" / "recorded"


@pytest.mark.slow  # the samples are compiled
@pytest.mark.parametrize("name", ["aot_compile", "aotinductor", "inductor_cache", "exported"])
def test_a_page_has_no_script_and_needs_no_network(
    name: str, foreign_samples: Path, tmp_path: Path
) -> None:
    record = fc.inspect(foreign_samples / name)
    record.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert record.format.replace("'", "&#x27;") in page
    assert not re.search(r"<script|<link|<img|<iframe|\son\w+=|src=|href=", page)
    for kernel in record.kernels:
        assert kernel.name in page
    assert len(page) < 6_000_000
    assert record._repr_mimebundle_()["text/html"] in page


def test_hostile_text_is_inert_in_text_and_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\x1b[31m\u202e"
    data = b"\x80\x04c" + evil.encode() + b"\n" + evil.encode() + b"\n)R."
    record = open_foreign(data)
    assert "\x1b" not in str(record)
    assert "\u202e" not in str(record)
    record.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert json.loads(record.to_json())["globals"][0]["name"] == f"{evil}.{evil}"


def test_what_it_says_of_itself_and_what_it_needs_are_tables(tmp_path: Path) -> None:
    record = open_foreign(RECORDED / "aot_compile_2_15")
    html = record._repr_mimebundle_()["text/html"]
    for title, rows in (
        ("What it says of itself", record.facts),
        ("What it was made on, or needs", record.stamps),
    ):
        part = html[html.index(f"{title}, {len(rows)}<") :].split("</details>")[0]
        assert part.count("<tr") == len(rows) > 0
        assert rows[0][0] in part
