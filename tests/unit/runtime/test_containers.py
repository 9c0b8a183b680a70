"""Containers of every kind come apart and together again, by plain data and by name."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import pathlib
import typing
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attr
import numpy as np
import pytest
import torch
from torch.utils import _pytree

from ipy_fastcompile.errors import InputError, TreeTypeMissing
from ipy_fastcompile.runtime.fixed import NoData, data_of, value_of
from ipy_fastcompile.runtime.leaves import leaves_of
from ipy_fastcompile.runtime.nests import (
    Unknown,
    builder,
    flatten,
    nest_data,
    read_nest,
)

Point = collections.namedtuple("Point", "x y")


class Pair(typing.NamedTuple):
    mean: Any
    var: Any = None


class Strange(Pair):
    """A named tuple whose constructor takes something else."""

    def __new__(cls) -> Strange:
        raise AssertionError("nothing is constructed anew")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    x: Any
    n: int = 3
    rest: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Counted:
    x: Any
    made: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        self.made += 1
        self.note = "beside the fields"


@attr.define
class Slotted:
    """Of attrs: slots, and no dict beside them."""

    x: Any
    y: Any = 2


class Settings(dict[str, Any]):
    def __init__(self) -> None:
        super().__init__()
        self.name = "attribute"


@dataclasses.dataclass
class Mirrored(dict[str, Any]):
    """As diffusers' outputs are: what is an attribute is an item, too."""

    sample: Any

    def __post_init__(self) -> None:
        self["sample"] = self.sample


class Row(list[Any]):
    pass


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Bits(enum.Flag):
    A = 1
    B = 2


class Registered:
    def __init__(self, x: Any, note: Any) -> None:
        self.x, self.note = x, note

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registered) and (self.x, self.note) == (other.x, other.note)

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture(params=[None, "tests.Registered"])
def registered(request: pytest.FixtureRequest) -> Iterator[type]:
    _pytree.register_pytree_node(
        Registered,
        lambda r: ([r.x], r.note),
        lambda children, note: Registered(*children, note),
        serialized_type_name=request.param,
    )
    yield Registered
    _pytree._deregister_pytree_node(Registered)


def settings() -> Settings:
    made = Settings()
    made["k"] = 1
    return made


VALUES = {
    "namedtuple": lambda: Point(1, (2, None)),
    "typing.NamedTuple": lambda: {"p": [Pair(1, Pair(2))]},
    "a constructor of its own": lambda: tuple.__new__(Strange, (1, 2)),
    "frozen, slots, kw_only": lambda: Frozen(x=1, rest={"y": 2}),
    "post_init and init=False": lambda: Counted(1),
    "attrs": lambda: Slotted(Pair(1)),
    "OrderedDict": lambda: collections.OrderedDict(b=1, a=2),
    "defaultdict": lambda: collections.defaultdict(list, a=1),
    "defaultdict without": lambda: collections.defaultdict(None, a=1),
    "Counter": lambda: collections.Counter("aab"),
    "deque": lambda: collections.deque([1, 2], 5),
    "dict subclass": settings,
    "dict and dataclass": lambda: Mirrored(sample=1),
    "list subclass": lambda: Row([1, [2]]),
    "torch.Size": lambda: torch.Size([2, 3]),
    "structseq": lambda: torch.max(torch.ones(2, 3), 1),
    "enum": lambda: (1, Color.BLUE, Bits.A | Bits.B),
    "odd keys": lambda: {1: 2, "1": 3, (1, "a"): 4, Color.RED: 5, None: 6},
    "empty": lambda: ((), [], {}, None),
    "device and dtype": lambda: [torch.float16, torch.device("cpu"), torch.strided],
}


def again(value: Any) -> Any:
    """The value through its leaves and JSON."""
    found = flatten(value)
    nest = read_nest(json.loads(json.dumps(nest_data(found.nest))))
    assert nest == found.nest
    leaves: list[Any] = []
    leaves_of(nest, value, "x", leaves)
    assert len(leaves) == len(found.leaves) == len(found.paths)
    assert all(a is b or a == b for a, b in zip(leaves, found.leaves, strict=True))
    return builder(nest, {})(iter(leaves))


@pytest.mark.parametrize("name", VALUES)
def test_a_container_comes_back_as_what_it_was(name: str) -> None:
    value = VALUES[name]()
    made = again(value)
    assert type(made) is type(value)
    if name == "structseq":
        assert all(torch.equal(a, b) for a, b in zip(made, value, strict=True))
        return
    assert made == value
    assert getattr(made, "__dict__", None) == getattr(value, "__dict__", None)
    if isinstance(value, collections.defaultdict):
        assert made.default_factory is value.default_factory
    if isinstance(value, dict):
        assert list(made.items()) == list(value.items())


def test_a_registered_type_is_used_as_registered(registered: type) -> None:
    value = Registered(1, ("a", 2.5))
    assert again(value) == value
    leaves: list[Any] = []
    with pytest.raises(InputError, match="context"):
        leaves_of(flatten(value).nest, Registered(1, "b"), "x", leaves)


def test_nothing_is_registered_by_taking_a_container_apart() -> None:
    before = dict(_pytree.SUPPORTED_NODES), dict(_pytree.SUPPORTED_SERIALIZED_TYPES)
    for make in VALUES.values():
        again(make())
    assert before == (_pytree.SUPPORTED_NODES, _pytree.SUPPORTED_SERIALIZED_TYPES)


def test_a_type_that_is_no_longer_registered_is_named() -> None:
    nest = read_nest({"kind": "registered", "type": f"{__name__}:Registered", "children": [None]})
    with pytest.raises(TreeTypeMissing, match="Register it before loading"):
        builder(nest, {})


def test_the_way_to_a_leaf_reads_like_the_code_that_reaches_it() -> None:
    found = flatten({"a": [Pair(1, Frozen(x=2))], 3: Counted(4)}, "batch")
    assert found.paths == [
        "batch['a'][0].mean",
        "batch['a'][0].var.x",
        "batch['a'][0].var.n",
        "batch[3].x",
        "batch[3].made",
        "batch[3].note",
    ]


class Loop:
    pass


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (np.ones(3), "ndarray"),
        (Loop(), "Loop"),
        (iter([1]), "iterator"),
        (torch.Generator(), "Generator"),
        (collections.defaultdict(lambda: 1, a=1), "has no name"),
        (print, "builtin_function"),
    ],
)
def test_what_is_no_container_is_told_with_its_place(value: Any, why: str) -> None:
    with pytest.raises(Unknown) as caught:
        flatten({"k": [value]}, "x")
    assert caught.value.path == "x['k'][0]"
    assert caught.value.value is value
    assert why in caught.value.why


def test_a_container_that_holds_itself_is_told() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Unknown, match="holds itself"):
        flatten(loop, "x")


FIXED = [
    *(None, True, 1, 1.0, -0.0, 0.0, float("nan"), float("inf"), "1", 1 + 2j, b"1", range(3)),
    *(slice(1, None, 2), ..., Decimal("1.10"), Fraction(1, 3), pathlib.PurePosixPath("a/b")),
    *(
        (1,),
        [1],
        {1},
        frozenset({1}),
        {"a": 1},
        torch.float32,
        torch.device("cpu"),
        torch.Size([1]),
    ),
    *(np.float32(1), np.int64(1), np.bool_(True), np.float64(1), Color.RED),
    Bits.A | Bits.B,
]


def test_values_are_told_apart_by_their_data() -> None:
    texts = [json.dumps(data_of(value)) for value in FIXED]
    assert len(set(texts)) == len(FIXED)


@pytest.mark.parametrize("value", FIXED, ids=repr)
def test_a_value_comes_back_from_its_data(value: Any) -> None:
    data = json.loads(json.dumps(data_of(value)))
    made = value_of(data, {})
    assert type(made) is type(value)
    assert made == value or made != made
    assert data_of(made) == data


def test_the_data_of_a_set_does_not_depend_on_its_order() -> None:
    assert data_of({"a", "b", "c"}) == data_of({"c", "b", "a"})


@pytest.mark.parametrize("value", [np.ones(()), np.datetime64("2020-01-01"), object(), len])
def test_what_has_no_exact_data_is_refused(value: Any) -> None:
    with pytest.raises(NoData):
        data_of(value)
