"""What a miss says about the nearest entry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ipy_fastcompile.cache.changes import diff_components
from ipy_fastcompile.cache.command import list_lines
from ipy_fastcompile.cache.entries import Entry, Explanation, explain_key, model_of
from ipy_fastcompile.cache.key.components import Key

OLD = {
    "inputs": "args[0]: float32[2, 4]",
    "structure": "model = a.Linear\nmodel.out_features = 4",
    "parameters": "model.weight = float32[4, 4]",
}


def explained(**new: str) -> Explanation:
    changed = {name: text for name, text in new.items() if text != OLD[name]}
    entry = Entry("0" * 64, Path("entry"), 1, 0.0, model="Linear")
    changes = diff_components({name: OLD[name] for name in changed}, changed)
    model = model_of(Key({**OLD, **new}))
    return Explanation("1" * 64, entry, 14, changes, model=model)


def test_another_model_is_one_line() -> None:
    other = explained(
        inputs="args[0]: int64[1, 8]",
        structure="model = b.Llama\nmodel.layers = 80",
        parameters="model.embed = float32[9, 4]",
    )
    assert other.facts == ("first compile of Llama",)
    assert other.details == ()
    (line,) = other.lines
    assert line.startswith("first compile of Llama: the nearest entry is 000000000000 (Linear), ")
    assert line.endswith(" 3 of 14 components differ")
    assert len(other.changes) == 3


@pytest.mark.parametrize(
    ("new", "named"),
    [
        ({"structure": "model = a.Renamed\nmodel.out_features = 4"}, "a.Renamed"),
        (
            {
                "structure": "model = a.Linear\nmodel.out_features = 5",
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


@pytest.mark.parametrize(
    ("components", "name"),
    [
        ({"structure": "model = a.b.Llama\nmodel.training = False"}, "Llama"),
        (
            {"structure": "(default)", "call": "the model = function a.f.<locals>.<lambda>"},
            "<lambda>",
        ),
        (
            {
                "structure": "model = a.Llama",
                "call": "the model = method\nthe model.__func__ = function a.Llama.encode",
            },
            "encode",
        ),
        ({"structure": "(default)", "call": "the model = a.Thing"}, "Thing"),
        ({"code": "x"}, ""),
    ],
)
def test_a_key_knows_what_it_is_of(components: dict[str, str], name: str) -> None:
    assert model_of(Key(components)) == name


def test_nothing_to_compare_with_is_a_first_compile() -> None:
    explanation = explain_key(Key(OLD), [])
    assert explanation.facts == explanation.lines == ("first compile of Linear",)
    assert explanation.details == ()


def test_an_entry_of_the_same_model_is_nearer_than_one_that_shares_more() -> None:
    key = Key({**OLD, "inputs": "args[0]: float32[9, 4]", "structure": "model = a.Linear"})
    close = Key({**OLD, "inputs": "args[0]: float32[9, 4]"})
    entries = [
        Entry("2" * 64, Path("x"), 1, 0.0, model="Conv", components=tuple(close.digests.items())),
        Entry(
            "3" * 64, Path("y"), 1, 0.0, model="Linear", components=tuple(Key(OLD).digests.items())
        ),
    ]
    assert explain_key(key, entries).nearest is entries[1]
    assert explain_key(key, entries[:1]).nearest is entries[0]
