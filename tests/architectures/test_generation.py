"""A recorded `generate`, reloaded with no compiler and installed, gives eager's greedy tokens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.architectures import each, generation
from tests.architectures.generation_child import TRIED
from tests.architectures.generation_models import NAMES, NEW, STATIC, make

# The fast ones, with encoders and with images among them, and one that pads its prompt to chunks;
# the command asks all.
FEW = ("llama", "gpt2", "mixtral", "qwen3_next", "t5", "bart", "whisper", "llava", "t5-static")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of them, by two processes: one compiles, one has no compiler."""
    return each.measure_each(
        generation.CHILD, (*FEW, "mamba"), tmp_path_factory.mktemp("generation"), generation.judge
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


@pytest.mark.slow
def test_where_a_loop_goes_through_the_prompt_its_length_is_a_recorded_one_or_the_models_own_call(
    generated: dict[str, Any],
) -> None:
    found = generated["mamba"]
    assert (found["wrong"], found["ways"]) == ("", ["native"])
    lengths = {length for _, length in make("mamba").recorded}
    own = sum(length not in lengths for _, length in TRIED)
    prefills = {name: count for name, count in found["served"].items() if name != "call_1"}
    assert found["own"] == own == len(TRIED) - sum(prefills.values())
    assert list(prefills.values()) == [2]  # one length of those that are tried, in two batches
    assert found["served"]["call_1"] == (NEW - 1) * len(TRIED)
    assert "dimension 1, has size 5" in found["why"]


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
