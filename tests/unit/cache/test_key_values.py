"""Values as a key writes them: the same text in every process, and none where there is none."""

from __future__ import annotations

import collections
import contextlib
import contextvars
import datetime as dt
import enum
import functools
import itertools
import logging
import operator
import pathlib
import re
import threading
import types
import typing
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ipy_fastcompile.cache.key.values import HANDLERS
from ipy_fastcompile.cache.key.walk import Walk


class Color(enum.Enum):
    RED = 1


class Counted(dict[str, int]):
    step = 2


class Number(float):
    pass


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a = 1


class Owner:
    @functools.cached_property
    def late(self) -> int:
        return 1

    @property
    def soon(self) -> int:
        return 1

    @staticmethod
    def still(x: Any) -> Any:
        return x


Pair = collections.namedtuple("Pair", "a b")


@contextlib.contextmanager
def scope(factor: float) -> Any:
    yield factor


def plain(x: Any) -> Any:
    return x


def default(x: Any, by: float = 2.0) -> Any:
    return x * by


_HERE = __name__

# Name -> (a value, its lines; those that the value's class and functions add are left out).
WRITTEN: dict[str, tuple[Any, list[str]]] = {
    "nothing": (None, ["v = None"]),
    "negative zero": (-0.0, ["v = -0.0"]),
    "bytes": (b"a", ["v = b'a'"]),
    "a dtype": (torch.float16, ["v = torch.float16"]),
    "a date": (dt.date(2020, 1, 2), ["v = datetime.date(2020, 1, 2)"]),
    "a size": (torch.Size([2, 3]), ["v = Size([2, 3])"]),
    "a slice": (slice(1, None, 2), ["v = slice(1, None, 2)"]),
    "a list": ([1, (2.0, "a")], ["v = list(1, tuple(2.0, 'a'))"]),
    "a set": ({3, 1, 2}, ["v = set(1, 2, 3)"]),
    "a deque": (collections.deque([1], maxlen=3), ["v = deque(1), maxlen=3"]),
    "a dict": ({"a": 1, 2: None}, ["v = {'a': 1, 2: None}"]),
    "a class": (nn.ReLU, ["v = class torch.nn.modules.activation.ReLU"]),
    "a member of an enum": (Color.RED, [f"v = {_HERE}.Color.RED (1)"]),
    "a number of NumPy": (np.float32(1.5), ["v = float32(1.5)"]),
    "a dtype of NumPy": (np.dtype("i8"), ["v = numpy.dtype('<i8')"]),
    "a path": (pathlib.PurePosixPath("a/b"), ["v = PurePosixPath('a/b')"]),
    "a list inside of lists": (
        [[[[[[1]]]]]],
        ["v = list of 1", "v[0] = list of 1", "v[0][0] = list(list(list(list(1))))"],
    ),
    "a function": (plain, [f"v = function {_HERE}.plain"]),
    "a function with a default": (
        default,
        [f"v = function {_HERE}.default", "v, default 0 = 2.0"],
    ),
    "a builtin": (abs, ["v = builtin builtins.abs"]),
    "a method of a list": ([1].append, ["v = builtin method append", "v.__self__ = list(1)"]),
    "a slot": (Slotted.__dict__["a"], ["v = slot a"]),
    "a field": (Pair.a, ["v = field 0"]),  # type: ignore[attr-defined]
    "an operator": (int.__add__, ["v = builtin builtins.int.__add__"]),
    "a partial": (
        functools.partial(plain, 1, by=2),
        [
            "v = partial",
            f"v.func = function {_HERE}.plain",
            "v.args = tuple(1)",
            "v.keywords = {'by': 2}",
            "v.__dict__ = {}",
        ],
    ),
    "a property": (
        Owner.__dict__["soon"],
        ["v = property", f"v.fget = function {_HERE}.Owner.soon", "v.fset = None", "v.fdel = None"],
    ),
    "a cached property": (
        Owner.__dict__["late"],
        ["v = cached_property", f"v.func = function {_HERE}.Owner.late"],
    ),
    "a static method": (
        Owner.__dict__["still"],
        ["v = staticmethod", f"v.__func__ = function {_HERE}.Owner.still"],
    ),
    "a module": (operator, ["v = module operator"]),
    "an op": (torch.ops.aten.add.Tensor, ["v = op aten::add.Tensor"]),
    "a pattern": (re.compile("a+"), ["v = pattern 'a+' 32"]),
    "a lock": (threading.Lock(), ["v = lock"]),
    "a handler of a log": (logging.NullHandler(), ["v = NullHandler None"]),
    "a context variable": (
        contextvars.ContextVar("level", default=1.5),
        ["v = context variable level", "v.get() = 1.5"],
    ),
    "a context variable that is not set": (
        contextvars.ContextVar("level"),
        ["v = context variable level", "v.get() = not set"],
    ),
    "a context manager": (
        scope(2.0),
        [
            "v = context manager",
            f"v.func = function {_HERE}.scope",
            "v.args = tuple(2.0)",
            "v.kwds = {}",
        ],
    ),
    "a weak reference": (
        weakref.ref(nn.ReLU),
        ["v = weak reference", "v() = class torch.nn.modules.activation.ReLU"],
    ),
    "a picker": (
        operator.itemgetter("k"),
        ["v = picker", "v.0 = class operator.itemgetter", "v.1 = tuple('k')"],
    ),
    "a dimension": (torch.export.Dim("n", min=2, max=9), ["v = Dim n 2 9"]),
    "a type": (typing.Optional[int], ["v = typing typing.Optional[int]"]),  # noqa: UP045
    "a ufunc": (np.add, ["v = ufunc add"]),
    "a view of a dict": (
        types.MappingProxyType({"a": 1}),
        ["v = mappingproxy", "v['a'] = 1"],
    ),
    "a dict with a default": (
        collections.defaultdict(list, a=1),
        ["v = defaultdict of 1", "v.default_factory = class builtins.list", "v['a'] = 1"],
    ),
    "an ordered dict": (
        collections.OrderedDict(b=1),
        ["v = collections.OrderedDict", "v.content = {'b': 1}"],
    ),
    "a dict of the user's": (
        Counted(a=1),
        [f"v = {_HERE}.Counted", "v.content = {'a': 1}"],
    ),
    "a number of the user's": (Number(1.5), [f"v = {_HERE}.Number", "v.content = 1.5"]),
    "an object with slots": (Slotted(), [f"v = {_HERE}.Slotted", "v.a = 1"]),
    "a namespace": (
        types.SimpleNamespace(a=1),
        [
            "v = types.SimpleNamespace",
            "v.__dict__ = {'a': 1}",
            "v.a = 1",
        ],
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_value_is_written_by_what_it_is(name: str) -> None:
    value, lines = WRITTEN[name]
    assert _lines(value) == lines


def test_a_value_met_again_is_named_and_not_written_again() -> None:
    shared = [plain]
    assert _lines([shared, shared])[-1] == "v[1] = same as v[0]"
    ring: list[Any] = [plain]
    ring.append(ring)
    assert _lines(ring)[-1] == "v[1] = same as v"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool, torch.int8])
def test_a_tensor_is_written_with_its_values(dtype: torch.dtype) -> None:
    def text(value: torch.Tensor) -> str:
        (line,) = _lines(value)
        return line

    ones = torch.ones(2, 3, dtype=dtype)
    assert text(ones).startswith(f"v = tensor {dtype}[2, 3] strides [3, 1] cpu sha256 ")
    assert text(ones) == text(ones.clone()) != text(torch.zeros(2, 3, dtype=dtype))
    assert text(ones) != text(ones.t().contiguous().t())


def test_an_array_is_written_with_its_values() -> None:
    (line,), (other,) = _lines(np.ones((2, 3))), _lines(np.zeros((2, 3)))
    assert line.startswith("v = array <f8[2, 3] sha256 ")
    assert line != other


def test_the_first_handler_that_takes_a_value_is_the_one_for_its_type() -> None:
    assert HANDLERS[-1].takes(object()), "the last one takes everything"
    for value in (plain, abs, torch.ones(1), [plain], threading.Lock(), nn.ReLU()):
        taken = [handler for handler in HANDLERS if handler.takes(value)]
        assert taken[0] is not HANDLERS[-1], value


@pytest.mark.parametrize("value", [itertools.count(), iter([1]), threading.local(), {plain}])
def test_what_has_no_text_is_said_to_be_uncovered(value: Any) -> None:
    walk = Walk()
    walk.describe("v", [value])
    walk.components()
    assert any(why.startswith("v[0]: it is a") for why in walk.uncovered), walk.uncovered


def _lines(value: Any) -> list[str]:
    walk = Walk()
    walk.describe("v", value)
    lines = walk.components()["values"].split("\n")
    return [line for line in lines if re.match(r"v\b", line)]
