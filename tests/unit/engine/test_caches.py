"""transformers' caches: a default call returns one; a step takes one and writes it, or grows it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

import ipy_fastcompile as fc
from ipy_fastcompile import errors


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(3, 64, shape)


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    config = tf.LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, vocab_size=64,
    )  # fmt: skip
    return tf.LlamaForCausalLM(config).eval()


def static(model: Any) -> Any:
    return tf.StaticCache(config=model.config, max_cache_len=32)


def filled(model: Any, cache: Any, ids: torch.Tensor) -> Any:
    with torch.no_grad():
        model(ids, past_key_values=cache)
    return cache


def reloaded(compiled: Any, model: Any, path: Path) -> tuple[Any, Any]:
    compiled.save(path)
    return compiled, fc.load(path, model)


@torch.no_grad()
def assert_steps(model: Any, function: Any, theirs: Any, ours: Any, steps: int = 3) -> None:
    """Steps of eager with one cache, and of ``function`` with an equal one."""
    layers = list(ours.layers)
    for _ in range(steps):
        x = tokens(2, 1)
        expected = model(input_ids=x, past_key_values=theirs)
        found = function(input_ids=x, past_key_values=ours)
        torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
        assert found.past_key_values is ours
        assert int(ours.get_seq_length()) == int(theirs.get_seq_length())
    for layer, before, other in zip(ours.layers, layers, theirs.layers, strict=True):
        assert layer is before
        torch.testing.assert_close(layer.keys, other.keys, rtol=1e-4, atol=1e-5)


def test_a_default_call_returns_a_cache_that_the_next_eager_step_takes(
    model: Any, tmp_path: Path
) -> None:
    compiled = fc.compile(model, (tokens(2, 8),), dynamic={"input_ids": {1: "seq"}})
    for function in reloaded(compiled, model, tmp_path / "a.fastcompile"):
        x, following = tokens(2, 11), tokens(2, 1)
        with torch.no_grad():
            expected, found = model(x), function(x)
            assert type(found) is type(expected)
            assert type(found.past_key_values) is tf.DynamicCache
            assert found.past_key_values.get_seq_length() == 11
            torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
            a = model(following, past_key_values=expected.past_key_values)
            b = model(following, past_key_values=found.past_key_values)
            torch.testing.assert_close(b.logits, a.logits, rtol=1e-4, atol=1e-5)


def test_a_step_grows_the_callers_cache(model: Any, tmp_path: Path) -> None:
    compiled = fc.compile(
        model,
        (),
        {
            "input_ids": tokens(2, 1),
            "past_key_values": filled(model, tf.DynamicCache(), tokens(2, 8)),
        },
        dynamic={"past_key_values": {2: "past"}},
        check=True,
    )
    for function in reloaded(compiled, model, tmp_path / "a.fastcompile"):
        prompt = tokens(2, 5)
        pair = [filled(model, tf.DynamicCache(), prompt) for _ in range(2)]
        assert_steps(model, function, *pair)
        with pytest.raises(errors.InputError, match=r"past_key_values\.layers has 0"):
            function(input_ids=tokens(2, 1), past_key_values=tf.DynamicCache())


def decode(past: int, model: Any, mask: int = 1) -> dict[str, Any]:
    """A step as `generate` makes it: everything that it says of the cache's length is there."""
    return {
        "input_ids": tokens(2, 1),
        "past_key_values": filled(model, tf.DynamicCache(), tokens(2, past)),
        "attention_mask": torch.ones(2, past + mask, dtype=torch.long),
        "position_ids": torch.full((2, 1), past),
        "cache_position": torch.tensor([past]),
    }


@pytest.mark.parametrize(
    ("dynamic", "names"),
    [
        ({"past_key_values": {2: "past"}, "attention_mask": {1: "total"}}, ["past", "total"]),
        (
            "auto",
            [
                "input_ids_batch",
                "past_key_values_length",
                "attention_mask_batch",
                "attention_mask_length",
            ],
        ),
    ],
)
def test_a_mask_that_is_one_longer_than_the_cache_is_found_to_be(
    model: Any, dynamic: Any, names: list[str], tmp_path: Path
) -> None:
    compiled = fc.compile(model, (), decode(8, model), dynamic=dynamic)
    assert [s.name for s in compiled.report.symbols] == names
    past, both = (names[1], names[3]) if dynamic == "auto" else names
    (condition,) = [c for c in compiled.report.conditions if both in c.sizes]
    assert condition.words == f"{both} is {past} + 1"
    for function in reloaded(compiled, model, tmp_path / "a.fastcompile"):
        for length in (5, 8, 13):
            call = decode(length, model)
            theirs = {**call, "past_key_values": copy.deepcopy(call["past_key_values"])}
            with torch.no_grad():
                expected, found = model(**theirs), function(**call)
            torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
            assert call["past_key_values"].get_seq_length() == length + 1
        with pytest.raises(errors.InputError, match=rf"{both} is not {past} \+ 1"):
            function(**decode(8, model, mask=3))
    if dynamic == "auto":
        fixed = {(f.paths[0], f.dim): f for f in compiled.report.fixed}
        assert "0 and 1 constants" in fixed["input_ids", 1].why
        heads = fixed["past_key_values.layers[0].keys", 1]
        assert (heads.size, len(heads.paths)) == (2, 4)
        assert heads.source is not None


def test_a_step_writes_into_the_callers_static_cache(model: Any, tmp_path: Path) -> None:
    compiled = fc.compile(
        model,
        (),
        {
            "input_ids": tokens(2, 1),
            "past_key_values": filled(model, static(model), tokens(2, 8)),
        },
        check=True,
    )
    for function in reloaded(compiled, model, tmp_path / "a.fastcompile"):
        prompt = tokens(2, 5)
        pair = [filled(model, static(model), prompt) for _ in range(2)]
        assert_steps(model, function, *pair)


def test_an_empty_cache_is_filled(model: Any) -> None:
    function = fc.compile(model, (tokens(2, 8),), {"past_key_values": tf.DynamicCache()})
    x, theirs, ours = tokens(2, 8), tf.DynamicCache(), tf.DynamicCache()
    with torch.no_grad():
        expected = model(x, past_key_values=theirs)
        found = function(x, past_key_values=ours)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
    assert ours.get_seq_length() == 8
    assert found.past_key_values is ours
    assert repr(ours) == repr(theirs)


def test_an_encoder_and_decoder_return_the_caches_of_both(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = tf.BartConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=64,
    )  # fmt: skip
    bart = tf.BartForConditionalGeneration(config).eval()
    call = {"input_ids": tokens(2, 8), "decoder_input_ids": tokens(2, 6)}
    with torch.no_grad():
        expected = bart(**call)
        for function in reloaded(fc.compile(bart, (), call), bart, tmp_path / "a.fastcompile"):
            found = function(**call)
            assert type(found.past_key_values) is tf.EncoderDecoderCache
            torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
            for kind in ("self_attention_cache", "cross_attention_cache"):
                pairs = zip(
                    getattr(found.past_key_values, kind).layers,
                    getattr(expected.past_key_values, kind).layers,
                    strict=True,
                )
                for ours, theirs in pairs:
                    torch.testing.assert_close(ours.keys, theirs.keys, rtol=1e-4, atol=1e-5)
                    torch.testing.assert_close(ours.values, theirs.values, rtol=1e-4, atol=1e-5)


def test_keys_that_are_asked_to_vary_alone_are_told_that_the_values_must_too(model: Any) -> None:
    cache = filled(model, tf.DynamicCache(config=model.config), tokens(2, 5))
    call = {"input_ids": tokens(2, 1), "past_key_values": cache}
    wanted = {"past_key_values.layers[0].keys": {2: "past"}}
    with pytest.raises(errors.CaptureError) as caught:
        fc.compile(model, (), call, dynamic=wanted)
    assert "cannot be dynamic as asked" in caught.value.what
    assert "Let past_key_values.layers[0].values:2 vary with it" in caught.value.hint


def test_generate_itself_is_refused_with_what_records_its_calls(model: Any) -> None:
    with pytest.raises(errors.CaptureError, match=r"%%fastcompile -m model.*fc\.record\(model\)"):
        fc.compile(model.generate, (tokens(1, 5),), {"max_new_tokens": 4})
