"""Objects that are their attributes: which are, and how one becomes what a call makes of it."""

from __future__ import annotations

import collections
import enum
import logging
import pathlib
import threading
from fractions import Fraction
from typing import Any

import pytest
import torch

from ipy_fastcompile.errors import InputError
from ipy_fastcompile.runtime.leaves import leaves_of
from ipy_fastcompile.runtime.nests import (
    Flattened,
    Results,
    after_call,
    builder,
    flatten,
    nest_data,
    read_nest,
)
from ipy_fastcompile.runtime.objects import become, is_plain_object


class Layer:
    def __init__(self, keys: Any = None) -> None:
        self.keys = keys
        self.is_initialized = keys is not None


class Cache:
    """As transformers' caches are: layers in a list, the class of a new one beside it."""

    def __init__(self, *keys: Any) -> None:
        self.layers = [Layer(k) for k in keys]
        self.kind = Layer


class Slots:
    __slots__ = ("x",)


class Mixed(Slots):
    """Has a dict and a slot."""


class Called:
    def __call__(self) -> None: ...


class Own:
    def __setstate__(self, state: Any) -> None: ...


class Grown(list[Any]):
    pass


class Made:
    def __new__(cls) -> Made:
        return super().__new__(cls)


class Color(enum.Enum):
    RED = 1


@pytest.mark.parametrize("value", [Cache(), Layer(1), Cache(torch.ones(1))])
def test_an_object_of_attributes_is_plain(value: Any) -> None:
    assert is_plain_object(value)


@pytest.mark.parametrize(
    "value",
    [
        *(Slots(), Mixed(), Called(), Own(), Grown(), Made(), Color.RED, Cache, len, object()),
        *(threading.Lock(), Fraction(1, 2), pathlib.Path("a"), logging.getLogger("a"), iter([1])),
        *(collections.Counter(), torch.ones(1), torch.nn.Linear(1, 1), torch, lambda: None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_else_is(value: Any) -> None:
    assert not is_plain_object(value)


def test_an_object_comes_apart_and_together_again() -> None:
    cache = Cache(torch.ones(2), torch.zeros(3))
    found = flatten(cache, "cache")
    assert found.paths[0] == "cache.layers[0].keys"
    nest = read_nest(nest_data(found.nest))
    assert nest == found.nest
    again = builder(nest, found.types)(iter(found.leaves))
    assert type(again) is Cache
    assert [type(layer) for layer in again.layers] == [Layer, Layer]
    assert again.layers[1].keys is cache.layers[1].keys
    assert again.kind is Layer


def test_a_call_with_more_or_other_attributes_does_not_fit() -> None:
    nest = flatten(Cache(torch.ones(2))).nest
    leaves: list[Any] = []
    leaves_of(nest, Cache(torch.zeros(2)), "cache", leaves)
    assert torch.equal(leaves[0], torch.zeros(2))
    with pytest.raises(InputError, match=r"cache\.layers has 2"):
        leaves_of(nest, Cache(torch.ones(2), torch.ones(2)), "cache", [])
    other = Cache(torch.ones(2))
    other.kind = Cache
    with pytest.raises(InputError, match=r"Argument cache\.kind"):
        leaves_of(nest, other, "cache", [])


def test_an_argument_in_the_result_is_the_callers_own() -> None:
    cache = Cache(torch.ones(2))
    found = Flattened(arguments={id(cache): 1})
    flatten({"y": torch.zeros(1), "cache": cache}, "the result", found)
    assert len(found.leaves) == 1
    nest = read_nest(nest_data(found.nest))
    given = Cache()
    out = builder(nest, found.types)(Results([torch.ones(1)], ("x", given)))
    assert out["cache"] is given


def test_an_argument_becomes_what_the_call_made_of_it() -> None:
    grown = flatten(Cache(torch.ones(3), torch.ones(1)))
    nest = read_nest(nest_data(after_call(None, {0: grown.nest})))
    given = Cache(torch.zeros(2))
    layers, first = given.layers, given.layers[0]
    out = builder(nest, grown.types)(Results(["y", *grown.leaves], (given,)))
    assert out == "y"
    assert given.layers is layers
    assert layers[0] is first
    assert first.keys is grown.leaves[0]
    assert [len(layer.keys) for layer in layers] == [3, 1]


@pytest.mark.parametrize(
    ("kind", "context", "children"),
    [("argument", "1", []), ("argument", -1, []), ("after", [0], [None]), ("after", 0, [None])],
)
def test_numbers_of_arguments_that_are_none_are_refused(
    kind: str, context: Any, children: list[Any]
) -> None:
    data = {"kind": kind, "type": "builtins:tuple", "context": context, "children": children}
    with pytest.raises(ValueError, match="numbers of arguments"):
        read_nest(data)


def test_becoming_takes_away_what_is_no_longer_there() -> None:
    held = {"a": [1, 2, 3], "gone": 1, "tuple": (1,)}
    inner = held["a"]
    assert become(held, {"a": [4], "new": 2, "tuple": (2,)}) is held
    assert held == {"a": [4], "new": 2, "tuple": (2,)}
    assert held["a"] is inner
    assert become(1, "other") == "other"
