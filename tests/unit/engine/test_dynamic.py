"""``dynamic``: paths into arguments, whole containers, numbers, "auto"; what cannot be is named."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
import transformers as tf
from torch.export import Dim

from ipy_fastcompile.engine.sizes.dynamic import AskedSizes, asked_of
from ipy_fastcompile.errors import CallError

K = Dim("k")
KEYS = [f"cache.layers[{i}].{name}" for i in (0, 1) for name in ("keys", "values")]


class Model(torch.nn.Module):
    def forward(self, ids: Any, batch: Any, cache: Any, *rest: Any) -> Any:
        return ids


def cache() -> Any:
    held = tf.DynamicCache()
    for layer in (0, 1):
        held.update(torch.ones(2, 3, 8, 4), torch.ones(2, 3, 8, 4), layer)
    held.steps = 5
    held.kind = "dynamic"
    return held


def asked(dynamic: Any, *rest: Any) -> AskedSizes:
    batch = {"ids": torch.ones(2, 8), "a.b": torch.ones(2, 7), "none": None}
    call = (torch.ones(2, 8), batch, cache(), *rest)
    module = Model()
    return asked_of(module, inspect.signature(module.forward).bind(*call), dynamic)


def named(dynamic: Any, *rest: Any) -> dict[Any, str]:
    return {spot: dim.__name__ for spot, dim in asked(dynamic, *rest).dims.items()}


@pytest.mark.parametrize(
    ("dynamic", "expected"),
    [
        ({"ids": {1: "seq"}}, {("ids", 1): "seq"}),
        ({"ids": {-1: "seq"}}, {("ids", 1): "seq"}),
        ({"batch": {"ids": {1: "seq"}}}, {("batch['ids']", 1): "seq"}),
        ({"batch['ids']": {1: "seq"}}, {("batch['ids']", 1): "seq"}),
        ({"batch[ids]": {1: "seq"}}, {("batch['ids']", 1): "seq"}),
        ({"batch.ids": {1: "seq"}}, {("batch['ids']", 1): "seq"}),
        ({"batch['a.b']": {1: "n"}}, {("batch['a.b']", 1): "n"}),
        ({"batch": {"a.b": {1: "n"}}}, {("batch['a.b']", 1): "n"}),
        ({"cache.layers[0].keys": {2: "past"}}, {(KEYS[0], 2): "past"}),
        ({"cache.layers.0.keys": {2: "past"}}, {(KEYS[0], 2): "past"}),
        ({"cache.layers[-1].values": {2: "past"}}, {(KEYS[3], 2): "past"}),
        ({"cache": {"layers[0].keys": {2: "past"}}}, {(KEYS[0], 2): "past"}),
        ({"cache.layers[*].keys": {2: "p"}}, {(KEYS[0], 2): "p", (KEYS[2], 2): "p"}),
        ({"cache": {"layers": [{"keys": {2: "p"}}, None]}}, {(KEYS[0], 2): "p"}),
        ({"cache": {2: "past"}}, {(key, 2): "past" for key in KEYS}),
        ({"cache": {-2: "past"}}, {(key, 2): "past" for key in KEYS}),
        ({"cache": {2: ("past", 2, 64)}}, {(key, 2): "past" for key in KEYS}),
        ({"cache": {2: 4 * K}}, {(key, 2): "4*k" for key in KEYS}),
        ({"cache.steps": "n"}, {("cache.steps", None): "n"}),
        ({"cache": {"steps": ("n", 0, 9)}}, {("cache.steps", None): "n"}),
        ({"batch": {1: "n"}}, {("batch['ids']", 1): "n", ("batch['a.b']", 1): "n_2"}),
        ([{1: "seq"}, None, None], {("ids", 1): "seq"}),
        ([["batch", None], None, None], {("ids", 0): "batch"}),
    ],
)
def test_a_path_leads_to_its_sizes(dynamic: Any, expected: dict[Any, str]) -> None:
    assert named(dynamic) == expected


def test_positional_arguments_without_a_name_are_counted() -> None:
    pair = (torch.ones(3), torch.ones(4))
    assert named({"rest[1]": {0: "n"}}, *pair) == {("args[4]", 0): "n"}
    assert named({"rest": {0: "n"}}, *pair) == {("args[3]", 0): "n", ("args[4]", 0): "n_2"}


def test_items_of_a_list_are_meant_by_nested_entries_and_dimensions_by_names() -> None:
    pair = ([torch.ones(3), 7],)
    assert named({"rest": [[{0: "n"}, None]]}, *pair) == {("args[3][0]", 0): "n"}
    assert named({"rest[0]": {0: {0: "n"}}}, *pair) == {("args[3][0]", 0): "n"}
    assert named({"rest[0]": {1: "n"}}, *pair) == {("args[3][1]", None): "n"}


def test_auto_names_sizes_after_their_argument_and_the_way_to_them() -> None:
    found = named("auto")
    assert found["ids", 0] == "ids_batch"
    assert found["ids", 1] == "ids_length"
    assert {found[key, 2] for key in KEYS} == {"cache_length"}
    assert found["batch['ids']", 1] == "batch_length"
    assert found["batch['a.b']", 1] == "batch_a_b_length"
    other = named("auto", {"a": torch.ones(2, 5), "b": torch.ones(2, 6)})
    assert other["args[3]['a']", 1] == "args_length"
    assert other["args[3]['b']", 1] == "args_3_b_length"
    assert found["cache.steps", None] == "cache_steps"


def test_auto_leaves_out_sizes_of_which_an_example_of_1_tells_nothing() -> None:
    found = asked("auto", torch.ones(1, 5))
    assert ("args[3]", 0) not in found.dims
    assert [(w.place.where, w.dim, w.size) for w in found.small] == [("args[3]", 0, 1)]


def test_a_name_is_more_than_auto() -> None:
    found = named({"*": "auto", "ids": {1: ("seq", 2, 64), 0: Dim.STATIC}})
    assert found["ids", 1] == "seq"
    assert ("ids", 0) not in found
    assert found["batch['ids']", 0] == "batch"


def test_numbers_that_a_call_leaves_alone_are_no_sizes_of_auto() -> None:
    found = asked({"*": "auto", "cache.layers[0].keys": {2: "past"}})
    assert ("cache.steps", None) not in found.with_numbers(frozenset()).dims
    assert ("cache.steps", None) in found.with_numbers(frozenset({"cache.steps"})).dims
    assert ("cache.steps", None) in asked({"cache.steps": "n"}).with_numbers(frozenset()).dims


@pytest.mark.parametrize(
    ("dynamic", "words"),
    [
        ({"idz": {0: "n"}}, r"'idz', which is not an argument.*did you mean 'ids'"),
        ({"cach.layers": {0: "n"}}, r"'cach' is not an argument.*did you mean 'cache'"),
        ({"cache.layer[0].keys": {0: "n"}}, r"'layer' in cache, .*did you mean 'layers'"),
        ({"cache.keys": {0: "n"}}, r"'keys' in cache, .*did you mean 'cache.layers\[0\].keys'"),
        ({"cache.layers[2].keys": {0: "n"}}, r"'2' in cache.layers, which is not there.*0, 1"),
        ({"cache.layers[0].keys.x": {0: "n"}}, r"a tensor of shape \(2, 3, 8, 4\)"),
        ({"cache..keys": {0: "n"}}, r"'..keys' is no step"),
        ({"cache": {4: "n"}}, r"dimension 4 of cache.*no tensor in it has one.*\[2, 3, 8, 4\]"),
        ({"cache": {"kind": "n"}}, r"cache.kind, which is 'dynamic'"),
        ({"cache": "n"}, r"is a DynamicCache of"),
        ({"cache.steps": {0: "n"}}, r"which is the number 5"),
        ({"batch": {"ids": {2: "n"}}}, r"dimension 2 at batch\['ids'\], and the tensor has 2"),
        ({"ids": {1: "a", -1: "b"}}, r"dimension 1 of ids twice"),
        (
            {"cache": {2: "past"}, "cache.layers[0].keys": {2: "first"}},
            r"two things of cache.layers\[0\].keys:2: 'past' and 'first'",
        ),
        ({"ids": {1: "seq"}, "batch.ids": {0: "seq"}}, r"two sizes seq"),
        ({"ids": {1: 3 * K}}, r"the size 3\*k, and the example has 8, for which no k will do"),
        ({"ids": {1: 4 * K}, "cache": {2: 2 * K}}, r"two sizes k"),
        ("automatic", "not a dict of arguments"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_what_there_is(dynamic: Any, words: str) -> None:
    with pytest.raises(CallError) as caught:
        asked(dynamic)
    assert re.search(words, str(caught.value)), str(caught.value)


def test_a_dimension_that_is_1_everywhere_says_so() -> None:
    with pytest.raises(CallError, match=r"it is 0 or 1 in each tensor.*args\[3\]\[0\] \[1, 5\]"):
        asked({"rest": {-2: "n"}}, [torch.ones(1, 5), torch.ones(1, 6)])


def test_of_a_thousand_names_the_nearest_are_listed() -> None:
    many = {f"key_{i}": torch.ones(2) for i in range(1000)}
    with pytest.raises(CallError) as caught:
        asked({"rest[0].key_99x": {0: "n"}}, many)
    assert caught.value.hint.startswith("There are key_99")
    assert "and 992 more" in caught.value.hint
