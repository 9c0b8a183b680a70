"""A recorded `generate`, reloaded with no compiler and installed, gives eager's greedy tokens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.architectures import each, generation
from tests.architectures.generation_child import TRIED
from tests.architectures.generation_models import NAMES, NEW, STATIC, make

# The fast ones, with encoders and with images among them; the command asks all.
FEW = ("llama", "gpt2", "mixtral", "t5", "whisper", "llava")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of them, by two processes: one compiles, one has no compiler."""
    return each.measure_each(
        generation.CHILD, FEW, tmp_path_factory.mktemp("generation"), generation.judge
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_the_tokens_are_those_of_eager(name: str, generated: dict[str, Any]) -> None:
    assert generated[name]["verdict"] == "right"


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_a_generation_is_a_prefill_and_a_step(name: str, generated: dict[str, Any]) -> None:
    prefills = 2 if name == "llava" else 1  # with one image, and with three
    assert len(generated[name]["served"]) == prefills + 1
    assert sum(generated[name]["served"].values()) == NEW * len(TRIED)


@pytest.mark.parametrize("name", NAMES)
def test_tokens_differ_from_each_other_so_that_wrong_ones_are_seen(name: str) -> None:
    case = make(name)
    new = [case.run(2, length)[:, -8:].flatten().tolist() for length in (5, 12)]
    assert new[0] != new[1]
    assert len(set(new[0] + new[1])) > 2


def test_static_caches_are_of_models_that_there_are() -> None:
    assert set(STATIC) <= set(NAMES)
    assert set(FEW) <= set(generation.ALL)


def test_a_model_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert generation.main(["lama"]) == 2
    assert "There is no lama; there are llama, mistral" in capsys.readouterr().err


def test_calls_that_the_model_itself_had_to_make_are_counted_and_told() -> None:
    found = {"ways": ["native"], "wrong": "", "own": 0, "why": "", "served": {"call_0": 2}}
    assert generation.judge(found) == "right"
    assert generation.row("t5", {**found, "verdict": "right"}).split() == [
        *("t5", "right"), "[call_0:", "2]"
    ]  # fmt: skip
    partly = {**found, "own": 3, "why": "It fits none."}
    assert generation.judge(partly) == "right, 3 of 5 calls by the model itself: It fits none."
    assert generation.judge({**partly, "wrong": "batch 1"}) == "batch 1"
