"""Leaves that are taken at speed are those that are taken with care, or none."""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

from ipy_fastcompile.errors import InputError
from ipy_fastcompile.runtime.leaves import leaves_of
from ipy_fastcompile.runtime.nests import flatten
from ipy_fastcompile.runtime.takers import taker


class Layer:
    def __init__(self, keys: Any = 1, **more: Any) -> None:
        self.keys = keys
        self.dtype = torch.float32
        self.device = torch.device("cpu")
        self.__dict__.update(more)


class OtherLayer(Layer):
    pass


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Record:
    a: Any
    b: Any = None


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


HELD: dict[str, Callable[[], Any]] = {
    "an object": lambda: Layer(torch.ones(1)),
    "objects in a list": lambda: [Layer(torch.ones(1)), Layer(torch.zeros(2))],
    "an object in an object": lambda: Layer([torch.ones(1), (2, None)], inner=Layer()),
    "a dict": lambda: {"a": torch.ones(1), "b": {"c": 2.5}},
    "a dict of numbers": lambda: {1: torch.ones(1), 2: 3},
    "an ordered dict": lambda: collections.OrderedDict(a=torch.ones(1), b=2),
    "a named tuple": lambda: Pair(torch.ones(1), [2]),
    "a record": lambda: Record(torch.ones(1), Layer(3)),
    "a torch.Size": lambda: (torch.Size([2, 3]), torch.ones(1)),
    "values that never change": lambda: [Colour.RED, torch.bfloat16, slice(1, 2), torch.ones(1)],
    "empty ones": lambda: ([], (), {}),
}


def with_care(nest: Any, value: Any) -> Any:
    """The leaves, or None where the value is refused."""
    leaves: list[Any] = []
    try:
        leaves_of(nest, value, "x", leaves)
    except InputError:
        return None
    return leaves


@pytest.mark.parametrize("held", HELD)
def test_what_is_held_like_the_example_is_taken(held: str) -> None:
    nest = flatten(HELD[held]()).nest
    take = taker(nest)
    for _ in range(3):  # types and lasting values are known from the first time on
        value = HELD[held]()
        leaves: list[Any] = []
        assert take(value, leaves)
        expected = with_care(nest, value)
        assert len(leaves) == len(expected)
        assert all(mine is its for mine, its in zip(leaves, expected, strict=True))


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("other", HELD)
def test_what_is_held_in_another_way_is_left(held: str, other: str) -> None:
    if held == other:
        return
    take = taker(flatten(HELD[held]()).nest)
    assert take(HELD[held](), [])
    assert not take(HELD[other](), [])


@pytest.mark.parametrize(
    ("example", "value"),
    [
        (Layer(1), Layer(1, more=2)),
        (Layer(1, more=2), Layer(1)),
        (Layer(1), OtherLayer(1)),
        (Layer(1), type("Layer", (), {"keys": 1})()),
        ([1, 2], [1]),
        ([1, 2], (1, 2)),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, collections.OrderedDict(a=1)),
        ([Colour.RED], [Colour.BLUE]),
        ([torch.float32], [torch.float64]),
        ([torch.device("cpu")], [torch.device("meta")]),
        ([slice(1, 2)], [slice(1, 3)]),
        ([torch.Size([1])], [(1,)]),
        (Record(1), Pair(1, None)),
        (Pair(1, 2), (1, 2)),
        ([1], None),
        (Layer(1), None),
    ],
)
def test_whatever_is_refused_with_care_is_not_taken(example: Any, value: Any) -> None:
    nest = flatten(example).nest
    take = taker(nest)
    assert take(example, [])
    assert with_care(nest, value) is None
    assert not take(value, [])
    assert take(example, [])


def test_another_order_of_a_dict_is_left_to_care() -> None:
    nest = flatten({"a": 1, "b": 2}).nest
    assert not taker(nest)({"b": 2, "a": 1}, [])
    assert with_care(nest, {"b": 2, "a": 1}) == [1, 2]
