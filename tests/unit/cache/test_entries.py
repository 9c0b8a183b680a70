"""What a miss says about the nearest entry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ipy_fastcompile.cache.changes import diff_components
from ipy_fastcompile.cache.command import list_lines
from ipy_fastcompile.cache.entries import Entry, Explanation

OLD = {
    "inputs": "args[0]: float32[2, 4]",
    "structure": "model: a.Linear\nmodel.out_features = 4",
    "parameters": "model.weight = float32[4, 4]",
}


def explained(**new: str) -> Explanation:
    changed = {name: text for name, text in new.items() if text != OLD[name]}
    entry = Entry("0" * 64, Path("entry"), 1, 0.0, model="Linear")
    changes = diff_components({name: OLD[name] for name in changed}, changed)
    return Explanation("1" * 64, entry, 14, changes)


def test_another_model_is_one_line() -> None:
    other = explained(
        inputs="args[0]: int64[1, 8]",
        structure="model: b.Llama\nmodel.layers = 80",
        parameters="model.embed = float32[9, 4]",
    )
    (line,) = other.lines
    assert line.startswith(
        "no entry is of this model; the nearest is 000000000000 (Linear): 3 of 14"
    )
    assert len(other.changes) == 3


@pytest.mark.parametrize(
    ("new", "named"),
    [
        ({"structure": "model: a.Renamed\nmodel.out_features = 4"}, "a.Renamed"),
        (
            {
                "structure": "model: a.Linear\nmodel.out_features = 5",
                "parameters": "model.weight = float32[5, 4]",
            },
            "out_features: 4 -> 5",
        ),
    ],
)
def test_the_same_model_is_compared_in_full(new: dict[str, str], named: str) -> None:
    explanation = explained(**new)
    assert explanation.lines[0].startswith("nearest entry 000000000000 (Linear): ")
    assert any(named in line for line in explanation.lines[1:])


def test_an_entry_says_how_many_programs_it_has() -> None:
    entry = Entry("0" * 64, Path("entry"), 1_000, 0.0, model="Llama\x1b", programs=("a", "b"))
    (line, _) = list_lines((entry,), 10**9)
    assert line.endswith("  Llama\\x1b, 2 programs")
    explanation = Explanation("1" * 64, entry, 14, ())
    assert explanation.lines[0].startswith("nearest entry 000000000000 (Llama\\x1b, 2 programs): ")
    single = replace(entry, programs=("",))
    assert single.what == "Llama\\x1b"
