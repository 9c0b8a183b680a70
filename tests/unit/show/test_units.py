from __future__ import annotations

import pytest

from ipy_fastcompile.records import Value
from ipy_fastcompile.show.units import (
    block_bar,
    format_count,
    format_ratio,
    format_seconds,
    format_value,
    shorten,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.0, "0 µs"), (31e-6, "31 µs"), (0.0029, "2.9 ms"), (0.99951, "1 s"),
     (12.6, "12.6 s"), (254.04, "254 s")],
)  # fmt: skip
def test_seconds(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


def test_counts_and_ratios() -> None:
    assert format_count(5657) == "5,657"
    assert format_count(1, "box", "boxes") == "1 box"
    assert format_count(2, "box", "boxes") == "2 boxes"
    assert format_ratio(17.1, 0.0029) == "5,897\u00d7"
    assert format_ratio(3, 2) == "1.5\u00d7"
    assert format_ratio(3, 0) == ""


def test_values() -> None:
    tensor = Value("x", "tensor", "bfloat16", (1, "2*seq", 64), device="cpu")
    assert format_value(tensor) == "bf16[1, 2*seq, 64]"
    assert format_value(Value("s", "int", text="seq")) == "int seq"
    assert format_value(None) == ""
    assert "\x1b" not in format_value(Value("s", "other", text="\x1b[0m"))


def test_a_bar_has_its_width_and_something_is_never_nothing() -> None:
    assert block_bar(0, 4) == "    "
    assert block_bar(1e-9, 4) == "▏   "
    assert block_bar(0.5, 4) == "██  "
    assert block_bar(7, 4) == "████"
    assert {len(block_bar(n / 50, 7)) for n in range(51)} == {7}


def test_shortening_keeps_both_ends() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghijk", 7) == "abcd…jk"
    assert len(shorten("x" * 500, 60)) == 60
