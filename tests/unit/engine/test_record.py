"""`record`: the model runs as it is, and every call of it is noted by its kind."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
import torch
import transformers as tf

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture


class Scale(torch.nn.Module):
    """``x * factor``, and a way to be called in many manners."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, factor: Any = 1, *, mask: Any = None) -> torch.Tensor:
        y = self.linear(x) * factor
        return y if mask is None else y * mask

    def encode(self, x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + sum(rest)


@pytest.fixture
def model() -> Scale:
    return Scale().eval()


@pytest.fixture(scope="module")
def llama() -> Any:
    torch.manual_seed(0)
    config = tf.LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, vocab_size=64, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return tf.LlamaForCausalLM(config).eval()


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(3, 64, shape)


def x(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 4)


# --- what a kind is ------------------------------------------------------------------------------


def test_a_dimension_that_took_several_sizes_varies(model: Scale) -> None:
    with fc.record(model) as calls:
        for batch, length in ((2, 3), (2, 5), (3, 7)):
            model(x(batch, length))
    (kind,) = calls
    assert (kind.name, kind.count) == ("call_0", 3)
    assert kind.dynamic == {"x": {0: "batch", 1: "x_length"}}
    assert kind.args[0].shape == (2, 3, 4)


def test_dimensions_that_always_agreed_share_a_name(model: Scale) -> None:
    with fc.record(model) as calls:
        for length in (3, 5):
            model(x(2, length), mask=torch.ones(2, length, 1))
    assert calls[0].dynamic == {"x": {1: "x_length"}, "mask": {1: "x_length"}}


def test_other_dtypes_ranks_values_and_arguments_are_other_kinds(model: Scale) -> None:
    with fc.record(model) as calls:
        model(x(2))
        model(x(2).unsqueeze(0))
        model(x(2), 2.0)
        model(x(2), mask=torch.ones(4, dtype=torch.int64))
        model(x(2), mask=torch.ones(4, dtype=torch.int32))
        model(x(3))
    assert [kind.count for kind in calls] == [2, 1, 1, 1, 1]
    assert [kind.name for kind in calls] == [f"call_{n}" for n in range(5)]


def test_an_argument_by_name_or_with_its_default_is_the_same_call(model: Scale) -> None:
    with fc.record(model) as calls:
        model(x(2))
        model(x=x(3))
        model(x(2), 1, mask=None)
    (kind,) = calls
    assert kind.count == 3


def test_a_size_that_was_only_seen_at_1_stays_and_the_example_has_2_or_more(model: Scale) -> None:
    with fc.record(model) as calls:
        model(x(1, 1))
        model(x(3, 1))
    (kind,) = calls
    assert kind.dynamic == {"x": {0: "batch"}}
    assert kind.args[0].shape == (3, 1, 4)


def test_a_number_that_took_several_values_varies(model: Scale) -> None:
    with fc.record(model) as calls:
        for step in range(7):
            model(x(2), 5 + step)
    (kind,) = calls
    assert kind.dynamic == {"factor": "factor"}
    assert str(calls).splitlines()[2].split() == [
        "factor",
        "int",
        "factor",
        "factor:",
        "5",
        "to",
        "11",
    ]
    captured = capture(model, kind.args, kind.kwargs, dynamic=kind.dynamic)
    assert [symbol.name for symbol in captured.symbols] == ["factor"]
    assert captured.symbols[0].min == 0


def test_the_table_says_that_more_may_vary_than_was_seen_to(model: Scale) -> None:
    for dynamic in (None, "auto"):
        with fc.record(model, dynamic=dynamic) as calls:
            model(x(2))
        assert ("sizes without a name vary, too" in str(calls)) == (dynamic == "auto")


def test_calls_under_autocast_are_a_kind_of_their_own(model: Scale) -> None:
    with fc.record(model) as calls:
        model(x(2))
        with torch.autocast("cpu", torch.bfloat16):
            model(x(2))
    assert [kind.autocast for kind in calls] == [(), (("cpu", torch.bfloat16),)]
    assert "under autocast of cpu to bfloat16" in str(calls)


def test_whatever_may_vary_may_with_auto(model: Scale) -> None:
    with fc.record(model, dynamic="auto") as calls:
        model(x(2, 1))
        model(x(2, 3), 2)
        model(x(2, 5), 2)
        model(x(2).sum(0))
    assert [kind.dynamic for kind in calls] == [
        {"*": "auto", "x": {0: "batch"}},
        {"*": "auto", "x": {0: "batch", 1: "x_length"}},
        "auto",
    ]


# --- the example ---------------------------------------------------------------------------------


class Grows(torch.nn.Module):
    def forward(self, state: torch.Tensor, held: list[torch.Tensor]) -> torch.Tensor:
        state.add_(1)
        held.append(state * 2)
        return state.sum()


def test_the_example_is_as_it_was_before_the_call() -> None:
    module, state, held = Grows(), torch.zeros(3), [torch.ones(2)]
    with fc.record(module) as calls:
        module(state, held)
    found, items = calls[0].args
    assert torch.equal(found, torch.zeros(3))
    assert torch.equal(state, torch.ones(3))
    assert len(items) == 1
    assert items[0] is held[0]  # nobody wrote to it: no copy


def test_the_example_of_inference_mode_is_as_it_was_before_the_call() -> None:
    module = Grows()
    with torch.inference_mode(), fc.record(module) as calls:
        module(torch.zeros(3), [])
    assert torch.equal(calls[0].args[0], torch.zeros(3))


class Noted(torch.autograd.Function):
    """Keeps an object alive as long as its graph."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, kept: Any) -> torch.Tensor:
        ctx.kept = kept
        return value * 2

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return gradient * 2, None


def test_an_example_keeps_no_graph_of_autograd_alive(model: Scale) -> None:
    weight, kept = torch.ones(2, 4, requires_grad=True), Scale()
    graph = weakref.ref(kept)
    with fc.record(model) as calls:
        model(Noted.apply(weight, kept))
    del kept
    gc.collect()
    assert graph() is None
    assert not calls[0].args[0].requires_grad


def test_only_one_example_of_a_kind_is_held(model: Scale) -> None:
    first, second = x(2), x(3)
    others = [weakref.ref(first), weakref.ref(second)]
    with fc.record(model) as calls:
        model(first)
        model(second)
    del first, second
    assert [other() is None for other in others] == [False, True]
    del calls
    assert others[0]() is None


# --- how the model runs --------------------------------------------------------------------------


def test_the_model_gives_what_it_gives_and_is_as_it_was(model: Scale) -> None:
    before = dict(vars(model))
    seen: list[Any] = []
    model.register_forward_pre_hook(lambda _, args: seen.append(args) or (args[0] * 2,))
    given = x(2)
    with fc.record(model) as calls:
        found = model(given)
    assert torch.equal(found, model(given))
    assert torch.equal(calls[0].args[0], given)  # as the caller gave it
    assert len(seen) == 2
    assert vars(model).keys() == before.keys()
    assert len(calls) == 1


def test_a_call_that_raises_is_left_out_and_the_block_may_raise(model: Scale) -> None:
    with pytest.raises(ZeroDivisionError), fc.record(model) as calls:  # noqa: PT012
        model(x(2))
        with pytest.raises(RuntimeError):
            model(torch.randn(2, 5))
        raise ZeroDivisionError
    model(x(3))
    assert [kind.count for kind in calls] == [1]


class Nested(torch.nn.Module):
    def forward(self, n: torch.Tensor, depth: bool = True) -> torch.Tensor:
        return self(n, depth=False) + 1 if depth else n


def test_a_call_within_a_call_is_a_part_of_it() -> None:
    module = Nested()
    with fc.record(module) as calls:
        assert module(torch.ones(2)).tolist() == [2, 2]
    assert [kind.count for kind in calls] == [1]


def test_a_part_of_a_model_can_be_recorded(model: Scale) -> None:
    with fc.record(model.linear) as calls:
        model(x(2))
        model.encode(x(3))
    (kind,) = calls
    assert kind.count == 2
    assert kind.dynamic == {"input": {0: "batch"}}


class Generates(torch.nn.Module):
    """As peft's wrapper: its ``generate`` is that of what it wraps."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + 1

    def generate(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.inner
        return inner.generate(x) if isinstance(inner, Generates) else inner(inner(x))


def test_who_records_a_wrapper_is_told_that_the_calls_were_of_what_it_wraps(model: Scale) -> None:
    wrapper = Generates(Generates(model))
    with fc.record(wrapper) as calls:
        wrapper.generate(x(2, 3))
    assert repr(calls) == "No call of Generates, and 2 of its .inner.inner (Scale)."
    with pytest.raises(
        errors.CallError, match=r"what it wraps was: .inner.inner \(Scale\)"
    ) as refused:
        fc.compile(wrapper, calls=calls)
    assert "Record the model's .inner.inner in its place" in str(refused.value)
    assert "_compiled_call_impl" not in vars(model)


def test_a_wrapper_that_is_called_itself_is_what_is_recorded(model: Scale) -> None:
    wrapper = Generates(model)
    with fc.record(wrapper) as calls:
        wrapper(x(2, 3))
    assert [kind.count for kind in calls] == [1]
    assert calls.called_instead is None


def test_recorders_within_one_another_see_the_same_calls(model: Scale) -> None:
    with fc.record(model) as outer:
        model(x(2))
        with fc.record(model) as inner:
            model(x(3))
        model(x(4))
    assert outer[0].count == 3
    assert inner[0].count == 1


def test_a_model_that_torch_compiled_is_recorded(model: Scale) -> None:
    model.compile(backend="eager")
    with fc.record(model) as calls:
        model(x(2))
        model(x(3))
    assert calls[0].count == 2
    compiled = torch.compile(Scale().eval(), backend="eager")
    with fc.record(compiled) as calls:
        compiled(x(2))
    assert calls[0].count == 1


def test_a_compiled_call_is_recorded(model: Scale) -> None:
    run = torch.compile(model.__call__, backend="eager")  # as transformers' generate does on a GPU
    with fc.record(model) as calls:
        given = x(2)
        assert torch.allclose(run(given), model(given))
    assert calls[0].count == 2
    assert type(calls[0].args[0]) is torch.Tensor


def test_an_export_in_the_block_is_no_call(model: Scale) -> None:
    with fc.record(model) as calls:
        torch.export.export(model, (x(2),), strict=False)
        model(x(3))
    assert [kind.count for kind in calls] == [1]


def test_threads_may_call_at_once(model: Scale) -> None:
    def run(size: int) -> None:
        for _ in range(20):
            model(x(size))

    with fc.record(model) as calls:
        threads = [threading.Thread(target=run, args=(size,)) for size in (2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [kind.count for kind in calls] == [60]
    assert calls[0].dynamic == {"x": {0: "batch"}}


def test_a_method_is_recorded_and_put_back(model: Scale) -> None:
    with fc.record(model.encode) as calls:
        for size in (2, 3):
            model.encode(x(size), x(size))
    assert "encode" not in vars(model)
    assert calls[0].dynamic == {"x": {0: "batch"}, "rest": {0: {0: "batch"}}}
    captured = capture(model.encode, calls[0].args, calls[0].kwargs, dynamic=calls[0].dynamic)
    assert [symbol.name for symbol in captured.symbols] == ["batch"]


def test_what_no_call_can_be_seen_of_is_refused() -> None:
    with pytest.raises(errors.CallError, match="no module and no method"), fc.record(x):
        pass
    with pytest.raises(errors.CallError, match="only 'auto'"), fc.record(Scale(), dynamic="all"):
        pass


# --- as a sequence, and as a table ---------------------------------------------------------------


def test_kinds_are_found_by_number_name_and_slice(model: Scale) -> None:
    with fc.record(model) as calls:
        assert str(calls) == "No call of Scale."
        assert not calls
        model(x(2))
        assert len(calls) == 1
        model(x(2), 2.0)
    assert calls["call_1"] is calls[1]
    assert [kind.name for kind in calls[1:]] == ["call_1"]
    with pytest.raises(errors.CallError, match="There are call_0, call_1"):
        calls["prefill"]


def test_the_table_says_what_was_seen(llama: Any) -> None:
    with fc.record(llama) as calls:
        llama.generate(tokens(2, 5), max_new_tokens=12, do_sample=False)
    assert f"{calls}\n" == _TABLE


_TABLE = """\
kind    calls  input                                                          varies
call_0      1  input_ids, position_ids          int64[2, 5]
               cache                            DynamicCache without tensors
               use_cache=True, return_dict=True, logits_to_keep=1
call_1     11  input_ids, position_ids          int64[2, 1]
               cache.layers[0].keys and 3 more  float32[2, 2, past, 8]        past: 5 to 15
               use_cache=True, return_dict=True, logits_to_keep=1
"""


def test_more_may_vary_than_what_was_seen(model: Scale) -> None:
    with fc.record(model) as calls:
        model(x(2, 3), mask=torch.ones(2, 3, 1))
        model(x(1, 3))
    more = calls.with_dynamic({"x": {0: "batch"}, "mask": {0: "batch"}})
    assert more[0].dynamic == {"x": {0: "batch"}, "mask": {0: "batch"}}
    assert more[1].dynamic is None  # of 1 nothing could be told
    assert calls[0].dynamic is None
    with pytest.raises(errors.CallError, match="'y', which is an argument of no call"):
        calls.with_dynamic({"y": {0: "batch"}})


# --- generate ------------------------------------------------------------------------------------


def test_generate_is_a_prefill_and_a_decode_step(llama: Any) -> None:
    with fc.record(llama) as calls:
        llama.generate(tokens(2, 5), max_new_tokens=12, do_sample=False)
        llama.generate(tokens(3, 7), max_new_tokens=12, do_sample=False)
    assert [kind.count for kind in calls] == [2, 22]
    assert set(calls[0].names.values()) == {"batch", "seq"}
    assert set(calls[1].names.values()) == {"batch", "past"}
    captured = capture(llama, calls[1].args, calls[1].kwargs, dynamic=calls[1].dynamic)
    assert captured.symbols[0].name == "batch"
    assert {symbol.min for symbol in captured.symbols} == {1}


def test_a_static_cache_is_as_it_was_before_the_first_call(llama: Any) -> None:
    with fc.record(llama) as calls:
        llama.generate(
            tokens(2, 5), max_new_tokens=4, do_sample=False, cache_implementation="static"
        )
    assert [kind.count for kind in calls] == [1, 3]
    layer = calls[1].kwargs["cache"].layers[0]
    assert int(layer.cumulative_length) == 5
    assert not layer.keys[:, :, 5:].any()


def test_a_mask_that_grows_with_the_past_has_a_name_of_its_own(llama: Any) -> None:
    mask = torch.ones(2, 5, dtype=torch.int64)
    mask[0, :2] = 0
    with fc.record(llama) as calls:
        llama.generate(tokens(2, 5), attention_mask=mask, max_new_tokens=8, do_sample=False)
    kind = calls[1]
    assert {*kind.names.values()} == {"past", "attention_mask_length"}
    captured = capture(llama, kind.args, kind.kwargs, dynamic=kind.dynamic)
    assert {s.name for s in captured.symbols} >= {"past", "attention_mask_length"}


def test_with_auto_the_batch_of_a_mask_is_that_of_the_tokens(llama: Any) -> None:
    mask = torch.ones(2, 5, dtype=torch.int64)
    mask[0, :2] = 0
    with fc.record(llama, dynamic="auto") as calls:
        llama.generate(tokens(2, 5), attention_mask=mask, max_new_tokens=4, do_sample=False)
    for kind in calls:
        firsts = {p: place for p, place in enumerate(kind.seen.places) if place.dim == 0}
        assert {"input_ids", "attention_mask"} <= {place.path for place in firsts.values()}
        assert {kind.names[p] for p in firsts} == {"batch"}
    kind = calls[0]
    captured = capture(llama, kind.args, kind.kwargs, dynamic=kind.dynamic, loose=kind.loose)
    sizes = {
        n.name: str(n.meta["val"].shape[0])
        for n in captured.graph_module.graph.nodes
        if n.name in ("input_ids", "attention_mask")
    }
    assert sizes["input_ids"] == sizes["attention_mask"]
