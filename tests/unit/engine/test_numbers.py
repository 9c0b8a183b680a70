"""Whole numbers that count as sizes: those in an object that a call changes, and arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

import ipy_fastcompile as fc
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.errors import CaptureError, InputError
from tests.unit.engine.test_caches import reloaded
from tests.unit.engine.windowed import windowed

WINDOW = 6


class Seen:
    """Rows of before, and how many there ever were; the last four rows are kept."""

    def __init__(self, rows: int, count: int) -> None:
        self.rows = torch.ones(rows, 3)
        self.count = count
        self.most = 4


class Step(torch.nn.Module):
    def forward(self, x: torch.Tensor, seen: Seen) -> tuple[torch.Tensor, Seen]:
        seen.count += x.shape[0]
        scale = 2 * seen.count if seen.count > seen.most else 1
        seen.rows = torch.cat([seen.rows, x])
        return seen.rows.sum(0) * scale, seen


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    compiled = fc.compile(Step(), (torch.ones(1, 3), Seen(7, 7)), dynamic={"seen": "auto"})
    return reloaded(compiled, Step(), tmp_path_factory.mktemp("step") / "a.fastcompile")


def test_a_number_that_a_call_changes_is_a_size_and_is_written_back(step: Any) -> None:
    for function in step:
        for rows, count in ((7, 7), (2, 9), (5, 4)):
            theirs, ours = Seen(rows, count), Seen(rows, count)
            expected, _ = Step()(torch.full((1, 3), 2.0), theirs)
            found, state = function(torch.full((1, 3), 2.0), ours)
            assert state is ours
            torch.testing.assert_close(found, expected)
            torch.testing.assert_close(ours.rows, theirs.rows)
            assert (ours.count, type(ours.count), ours.most) == (count + 1, int, 4)


def test_a_number_on_the_other_side_of_a_branch_is_refused_with_the_line(step: Any) -> None:
    for function in step:
        with pytest.raises(InputError) as caught:
            function(torch.ones(1, 3), Seen(2, 3))
        assert "Argument seen.count (seen_count) has the value 3" in caught.value.what
        assert "which is less than 4 (test_numbers.py:" in caught.value.what
        assert "if seen.count > seen.most" in caught.value.what


@pytest.mark.parametrize(("count", "words"), [(7.0, "a float|type float"), (True, "type bool")])
def test_a_number_of_another_type_is_refused(step: Any, count: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        step[0](torch.ones(1, 3), Seen(7, count))


def test_a_number_that_no_call_changes_stays_fixed(step: Any) -> None:
    compiled, function = step
    assert [s.name for s in compiled.report.symbols] == ["seen_batch", "seen_count"]
    other = Seen(7, 7)
    other.most = 5
    with pytest.raises(InputError, match=r"seen\.most has the value 5.*takes 4"):
        function(torch.ones(1, 3), other)


def test_an_argument_may_be_such_a_number() -> None:
    def last(x: torch.Tensor, n: int) -> torch.Tensor:
        return x[-n:] * n

    compiled = fc.compile(last, (torch.arange(9.0), 3), dynamic={"n": ("n", 1, 8)})
    for n in (1, 2, 5, 8):
        torch.testing.assert_close(compiled(torch.arange(9.0), n), last(torch.arange(9.0), n))
    with pytest.raises(InputError, match=r"Argument n \(n\) has the value 9"):
        compiled(torch.arange(9.0), 9)


def test_a_number_that_the_model_fixes_is_refused_with_the_line() -> None:
    def repeat(x: torch.Tensor, n: int) -> torch.Tensor:
        for _ in range(n):
            x = x + 1
        return x

    with pytest.raises(CaptureError, match=r"n \(n\) cannot be dynamic.*fixes it to 3 at .*range"):
        capture(repeat, (torch.ones(2), 3), dynamic={"n": "n"})


# --- sliding windows -----------------------------------------------------------------------------


MODELS = windowed(WINDOW)


def filled(model: Any, length: int) -> Any:
    torch.manual_seed(length)
    cache = tf.DynamicCache(config=model.config)
    with torch.no_grad():
        model(torch.randint(3, 64, (2, length)), past_key_values=cache)
    return cache


# The example, lengths that fit it, and lengths that are on the other side of the window.
SIDES = {"below": (3, (2, 3), (8,)), "above": (9, (6, 7, 12, 30), (3,))}


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", MODELS)
def test_a_step_over_a_sliding_window_is_right_at_all_lengths_on_its_side(
    name: str, side: str, tmp_path: Path
) -> None:
    model = MODELS[name]
    example, right, wrong = SIDES[side]
    token = torch.full((2, 1), 7)
    compiled = fc.compile(
        model,
        (),
        {"input_ids": token, "past_key_values": filled(model, example)},
        dynamic={"past_key_values": "auto"},
    )
    for function in reloaded(compiled, model, tmp_path / "a.fastcompile"):
        for length in right:
            theirs, ours = filled(model, length), filled(model, length)
            with torch.no_grad():
                expected = model(input_ids=token, past_key_values=theirs)
                found = function(input_ids=token, past_key_values=ours)
                torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
                assert ours.get_seq_length() == length + 1
                for one, other in zip(ours.layers, theirs.layers, strict=True):
                    assert vars(one).keys() == vars(other).keys()
                    assert one.get_seq_length() == other.get_seq_length()
                    torch.testing.assert_close(one.keys, other.keys, rtol=1e-4, atol=1e-5)
                after = model(input_ids=token, past_key_values=ours)
                again = model(input_ids=token, past_key_values=theirs)
                torch.testing.assert_close(after.logits, again.logits, rtol=1e-4, atol=1e-5)
        for length in wrong:
            with pytest.raises(InputError, match=r"past_key_values\.layers\[0\]"):
                function(input_ids=token, past_key_values=filled(model, length))


@pytest.mark.slow
def test_a_prompt_over_a_window_says_the_length_and_the_line() -> None:
    compiled = fc.compile(
        MODELS["mistral"], (torch.full((2, 8), 7),), dynamic={"input_ids": {1: "seq"}}
    )
    (condition,) = compiled.report.conditions
    assert condition.words == f"seq is at least {WINDOW - 1}"
    assert condition.source is not None
    assert "sliding_window" in condition.source.text
    with pytest.raises(InputError) as caught:
        compiled(torch.full((2, 4), 7))
    assert "dimension 1 (seq), has size 4, which is less than 5" in caught.value.what
    assert "cache_utils.py:" in caught.value.what
    assert "sliding_window" in caught.value.what


# --- numbers that are sizes of a tensor beside them ----------------------------------------------


class Held:
    """Rows, and how many there are; the second number is of another kind."""

    def __init__(self, rows: int, most: int = 5) -> None:
        self.rows = torch.arange(3.0 * rows).reshape(rows, 3)
        self.length = rows
        self.most = most


class Fills(torch.nn.Module):
    """Makes as many rows as there should be, as a cache of a fixed length does at first."""

    def forward(self, x: torch.Tensor, empty: Any) -> tuple[torch.Tensor, Any]:
        empty.rows = x.new_zeros(empty.length, x.shape[1]) + x.sum(0)
        return empty.rows.sum(), empty


class Compares(torch.nn.Module):
    def forward(self, held: Held) -> torch.Tensor:
        return held.rows * (2 if held.most > 4 else 3)


def test_a_number_that_is_a_size_of_a_tensor_beside_it_varies_with_it(tmp_path: Path) -> None:
    compiled = fc.compile(Compares(), (Held(7),), dynamic="auto")
    for function in reloaded(compiled, Compares(), tmp_path / "a.fastcompile"):
        for rows in (2, 7, 9):
            torch.testing.assert_close(function(Held(rows)), Compares()(Held(rows)))
        with pytest.raises(InputError, match=r"held\.most has the value 6.*takes 5"):
            function(Held(7, most=6))


def test_a_number_that_becomes_a_size_varies() -> None:
    def empty(length: int) -> Any:
        held: Any = Held(2)
        held.rows, held.length = None, length
        return held

    compiled = fc.compile(Fills(), (torch.ones(2, 3), empty(6)), dynamic={"empty": "auto"})
    for length in (6, 2, 11):
        ours, theirs = empty(length), empty(length)
        found, _ = compiled(torch.ones(2, 3), ours)
        expected, _ = Fills()(torch.ones(2, 3), theirs)
        torch.testing.assert_close(found, expected)
        assert ours.rows.shape == theirs.rows.shape == (length, 3)


def test_a_number_of_such_a_size_that_the_model_compares_is_fixed() -> None:
    held = Held(5)
    compiled = fc.compile(Compares(), (held,), dynamic="auto")
    names = [symbol.name for symbol in compiled.report.symbols]
    assert "held_length" in names
    assert "held_most" not in names
    with pytest.raises(InputError, match=r"held\.most has the value 3"):
        compiled(Held(5, most=3))
