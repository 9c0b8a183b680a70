from __future__ import annotations

import pytest

from tests.benchmarks.table import (
    Sayings,
    Table,
    heading,
    percent_less,
    render_document,
    render_markdown,
    render_text,
    seconds,
    size,
    times,
)

TABLE = Table(
    "Loads",
    ("way", "load", "failed"),
    (("native", "3.9 ms", ""), ("torch | aot", "1.9 s", "says [1]")),
    ("Medians.", "[1] No compiler."),
    left=(0, 2),
)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert render_text(TABLE) == (
        "Loads\n"
        "\n"
        "  way            load  failed\n"
        "  native       3.9 ms\n"
        "  torch | aot   1.9 s  says [1]\n"
        "\n"
        "  Medians.\n"
        "  [1] No compiler.\n"
    )


def test_a_bar_in_a_cell_does_not_end_it_in_markdown() -> None:
    assert render_markdown(TABLE) == (
        "### Loads\n"
        "\n"
        "| way | load | failed |\n"
        "| :-- | --: | :-- |\n"
        "| native | 3.9 ms |  |\n"
        "| torch \\| aot | 1.9 s | says [1] |\n"
        "\n"
        "- Medians.\n"
        "- [1] No compiler.\n"
    )


def test_what_a_child_said_cannot_steer_a_terminal() -> None:
    table = Table("t", ("a",), (("\x1b[2Jgone",),), ("\x1b]0;title\x07",))
    for text in (render_text(table), render_markdown(table)):
        assert "\x1b" not in text
        assert "\x07" not in text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (6.05, 0.27, "95.5"),
        (7.07, 0.46, "93.5"),
        (4.0, 0.004, "99.90"),
        (1.0, 1.5, "-50.0"),
        (None, 0.1, "-"),
        (1.0, None, "-"),
        (0.0, 0.1, "-"),
    ],
)
def test_percent_less(before: float | None, after: float | None, text: str) -> None:
    assert percent_less(before, after) == text


def test_a_figure_that_is_missing_is_a_dash() -> None:
    assert [seconds(None), size(None), times(None, 1.0), times(1.0, 0.0)] == ["-"] * 4
    assert [seconds(0.0039), size(812_000), times(2.0, 0.004), times(3.0, 2.0)] == [
        "3.9 ms",
        "812 kB",
        "500 x",
        "1.5 x",
    ]


def test_the_same_saying_has_one_number() -> None:
    sayings = Sayings()
    marks = [sayings.mark(text) for text in ("no compiler", "no  \n compiler", "killed")]
    assert marks == ["fails [1]", "fails [1]", "fails [2]"]
    assert sayings.notes() == ("[1] no compiler", "[2] killed")


def test_a_long_saying_ends_at_a_word() -> None:
    sayings = Sayings()
    sayings.mark("word " * 200)
    (note,) = sayings.notes()
    assert note.endswith("word ...")
    assert len(note) < 240


def test_the_heading_says_where_when_and_how() -> None:
    document = {
        "command": "python -m tests.benchmarks models",
        "started": "2026-11-22T20:00:00+00:00",
        "finished": None,
        "load average": [0.1],
        "machine": {"processor": "CPU, 2 threads", "cores": 2, "memory": 8_000_000_000},
        "versions": {"torch": "2.13.0", "triton": ""},
        "imports": {"import torch": 1.5},
        "inductor cache": "/cache",
        "environment": {"OMP_WAIT_POLICY": "passive"},
    }
    text = render_document(document, [TABLE], markdown=False)
    assert text.startswith("Command: python -m tests.benchmarks models\n")
    assert "not finished" in text
    assert "CPU, 2 threads; 2 cores, 8 GB memory" in text
    assert "Versions: torch 2.13.0\n" in text
    assert "Imports: torch 1.5 s" in text
    assert "Inductor cache: /cache; cold compiles are not cold\n" in text
    assert "Environment: OMP_WAIT_POLICY=passive\n" in text
    assert "\nLoads\n" in text
    assert render_document(document, [], markdown=True).startswith("- Command: ")
    assert heading({}) != []
