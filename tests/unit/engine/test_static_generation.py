"""One recorded generation serves other prompts, also where a cache or a model is of fixed sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

import ipy_fastcompile as fc
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.calls.kinds import Kind
from ipy_fastcompile.engine.calls.narrow import graphs_of

TOKENS = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}


def prompt(batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(100 * batch + length)
    return torch.randint(3, 64, (batch, length), generator=generator)


@pytest.fixture(scope="module")
def llama() -> Any:
    torch.manual_seed(0)
    config = tf.LlamaConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, **TOKENS,
    )  # fmt: skip
    return tf.LlamaForCausalLM(config).eval()


def generated(model: Any, batch: int, length: int) -> list[list[int]]:
    found: list[list[int]] = model.generate(
        prompt(batch, length), max_new_tokens=12, do_sample=False, cache_implementation="static"
    ).tolist()
    return found


@pytest.mark.slow
def test_a_static_cache_of_another_length_and_batch_is_served(llama: Any, tmp_path: Path) -> None:
    with fc.record(llama, dynamic="auto") as calls:
        generated(llama, 1, 5)
    compiled = fc.compile(llama, calls=calls, check=True)
    assert [program.name for program in compiled.report.programs] == ["call_0", "call_1"]
    compiled.save(tmp_path / "a.fastcompile")
    function = fc.load(tmp_path / "a.fastcompile", llama)
    for batch, length in ((1, 5), (1, 3), (3, 9), (2, 20)):
        expected = generated(llama, batch, length)
        with function.installed(llama, strict=True):
            assert generated(llama, batch, length) == expected
    theirs = last_cache(llama)
    with function.installed(llama, strict=True):  # it is written in place, as eager does it
        ours = last_cache(llama)
    assert type(ours) is tf.StaticCache
    assert int(ours.get_seq_length()) == int(theirs.get_seq_length()) == 6
    torch.testing.assert_close(ours.layers[0].keys, theirs.layers[0].keys)


def last_cache(model: Any) -> Any:
    said = model.generate(
        prompt(2, 4), max_new_tokens=3, do_sample=False, cache_implementation="static",
        return_dict_in_generate=True,
    )  # fmt: skip
    return said.past_key_values


def test_a_prompt_that_a_loop_goes_through_is_a_graph_of_each_length_and_the_line_is_told() -> None:
    torch.manual_seed(0)
    config = tf.MambaConfig(hidden_size=32, num_hidden_layers=1, state_size=4, **TOKENS)
    model = tf.MambaForCausalLM(config).eval()

    def captured(part: Kind) -> Captured:
        return capture(model, part.args, part.kwargs, dynamic=part.dynamic, loose=part.loose)

    with fc.record(model) as calls:
        for batch, length in ((1, 5), (3, 7)):
            model.generate(prompt(batch, length), max_new_tokens=3, do_sample=False)
    prefill, step = calls
    graphs = [graph for _, graph in graphs_of(prefill, captured)]
    assert [[symbol.name for symbol in graph.symbols] for graph in graphs] == [["batch"], ["batch"]]
    for graph, length in zip(graphs, (7, 5), strict=True):
        (fixed,) = graph.fixed
        assert (fixed.paths, fixed.dim, fixed.size) == (("input_ids",), 1, length)
        assert fixed.source is not None
        assert "for index in range(seq_len)" in fixed.source.text
    ((_, graph),) = graphs_of(step, captured)  # every prompt's
    assert [symbol.min for symbol in graph.symbols] == [0]
