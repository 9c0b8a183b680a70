"""Strange calls of the public functions: each is right, or refused in our own words.

A `TypeError` is Python's own only where a signature is wrong, as for a keyword that does not exist.
"""

from __future__ import annotations

import decimal
import enum
import fractions
import functools
import pathlib
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import FastCompileError

X = torch.linspace(-1, 1, 12).reshape(3, 4)
Dim = torch.export.Dim


class Level(enum.IntEnum):
    LOW = 2


def scaled(a: torch.Tensor, b: float = 2.0, *, k: Any = None) -> torch.Tensor:
    return a * b if k is None else a * b + k


def added(a: torch.Tensor, /, b: torch.Tensor) -> torch.Tensor:
    return a + b


def summed(*xs: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
    return functools.reduce(torch.add, (*xs, *more.values()))


def with_values(x: torch.Tensor, values: dict[str, Any]) -> torch.Tensor:
    """Uses every value as eager would, each in another way."""
    v = values
    y = x * float(v["np"]) + int(v["np_int"]) + v["level"].value + len(v["bytes"]) + len(v["range"])
    y = y + len(v["set"]) + len(str(v["path"])) + float(v["decimal"]) + float(v["fraction"])
    y = y * (2 if v["true"] is True else 3) + (0 if v["nan"] != v["nan"] else 1)
    return y[v["slice"]].to(v["dtype"]).to(v["device"]) + v["complex"].real


VALUES: dict[str, Any] = {
    "np": np.float32(1.5),
    "np_int": np.int64(3),
    "level": Level.LOW,
    "bytes": b"abc",
    "range": range(4),
    "set": {"a", "b"},
    "path": pathlib.Path("a/b"),
    "decimal": decimal.Decimal("0.5"),
    "fraction": fractions.Fraction(1, 4),
    "true": True,
    "nan": float("nan"),
    "slice": slice(0, 2),
    "dtype": torch.float64,
    "device": torch.device("cpu"),
    "complex": 1 + 2j,
    "none": None,
    "empty": ((), {}, []),
}

LINEAR = nn.Linear(4, 4).eval()


class Made:
    """What the calls are made of; compiled once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compiled = fc.compile(LINEAR, (X,), dynamic={"input": {0: "b"}})
        self.path = folder / "a.fastcompile"
        self.compiled.save(self.path)
        self.loaded = fc.load(self.path, LINEAR)
        self.scaled = fc.compile(scaled, (X, 3.0), {"k": X})
        self.plain = fc.compile(scaled, (X,))
        self.added = fc.compile(added, (X, X))
        self.summed = fc.compile(summed, (X, X), {"z": X})
        self.valued = fc.compile(with_values, (X, VALUES))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("strange"))


# --- calls that are right -------------------------------------------------------------------------

RIGHT: dict[str, tuple[Callable[[Made], Any], Callable[[], Any]]] = {
    "by name": (lambda m: m.loaded(input=X), lambda: LINEAR(X)),
    "an empty batch": (lambda m: m.loaded(X[:0]), lambda: LINEAR(X[:0])),
    "a batch of one": (lambda m: m.loaded(X[:1]), lambda: LINEAR(X[:1])),
    "a larger batch": (lambda m: m.loaded(X.repeat(3, 1)), lambda: LINEAR(X.repeat(3, 1))),
    "all by name": (lambda m: m.scaled(k=X, b=3.0, a=X), lambda: scaled(X, 3.0, k=X)),
    "one by name": (lambda m: m.scaled(X, b=3.0, k=X), lambda: scaled(X, 3.0, k=X)),
    "default left out": (lambda m: m.plain(a=X), lambda: scaled(X)),
    "positional only": (lambda m: m.added(X, b=X), lambda: added(X, X)),
    "var args": (lambda m: m.summed(X, X, z=X), lambda: summed(X, X, z=X)),
    "values of all kinds": (lambda m: m.valued(X, VALUES), lambda: with_values(X, VALUES)),
    "values in another order": (
        lambda m: m.valued(X, dict(reversed(VALUES.items()))),
        lambda: with_values(X, VALUES),
    ),
    "path as bytes": (lambda m: fc.load(str(m.path).encode(), LINEAR)(X), lambda: LINEAR(X)),
    "state dict": (lambda m: fc.load(m.path, LINEAR.state_dict())(X), lambda: LINEAR(X)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_call_in_another_form_is_right(made: Made, name: str) -> None:
    call, expected = RIGHT[name]
    with torch.no_grad():
        torch.testing.assert_close(call(made), expected())


# --- calls that are refused -----------------------------------------------------------------------


def comp(*args: Any, **kwargs: Any) -> Callable[[Made], Any]:
    return lambda _: fc.compile(*args, **kwargs)


def dyn(dynamic: Any, model: Any = LINEAR, args: Any = (X,), **kwargs: Any) -> Any:
    return lambda _: fc.compile(model, args, dynamic=dynamic, **kwargs)


def sized(sizes: Any) -> Callable[[Made], Any]:
    return dyn({"input": {0: ("b", 2, 8)}}, sizes=sizes)


def first(a: torch.Tensor, other: Any) -> torch.Tensor:
    return a + 1


def returning(value: Any) -> Callable[[torch.Tensor], Any]:
    return lambda a: value


def pair(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.sum() + b.sum()


def other_value(name: str, value: Any) -> Callable[[Made], Any]:
    return lambda m: m.valued(X, {**VALUES, name: value})


REFUSED: dict[str, Callable[[Made], Any]] = {
    # what is compiled
    "model None": comp(None, (X,)),
    "model str": comp("model", (X,)),
    "model class": comp(nn.Linear, (X,)),
    "model in a list": comp([LINEAR], (X,)),
    "model that holds models": comp(nn.ModuleList([LINEAR]), (X,)),
    "model without forward": comp(nn.Module(), (X,)),
    "exported program": comp(torch.export.export(LINEAR, (X,)), (X,)),
    "optimizer": comp(torch.optim.SGD(LINEAR.parameters(), 0.1), ()),
    # its arguments
    "args a tensor": comp(LINEAR, X),
    "args a dict": comp(LINEAR, {"input": X}),
    "args a str": comp(LINEAR, "x"),
    "args a generator": comp(LINEAR, (x for x in [X])),
    "args a set": comp(LINEAR, {1}),
    "args missing": comp(LINEAR, None),
    "args too many": comp(LINEAR, (X, X)),
    "kwargs a list": comp(LINEAR, (), [X]),
    "kwargs a str": comp(LINEAR, (), "x"),
    "kwargs of numbers": comp(LINEAR, (), {1: X}),
    "kwargs unknown": comp(LINEAR, (X,), {"foo": 1}),
    "kwargs twice": comp(LINEAR, (X,), {"input": X}),
    "array": comp(first, (X, np.ones(3))),
    "array of text": comp(first, (X, np.array(["a"]))),
    "random generator": comp(first, (X, torch.Generator())),
    "iterator": comp(first, (X, iter([1]))),
    "function": comp(first, (X, torch.relu)),
    "module": comp(first, (X, LINEAR)),
    "type": comp(first, (X, int)),
    "object": comp(first, (X, [{"a": object()}])),
    "lock": comp(first, (X, threading.Lock())),
    "stream": comp(first, (X, sys.stdout)),
    "memoryview": comp(first, (X, memoryview(b"a"))),
    # what it returns
    "returns an object": comp(returning(object()), (X,)),
    "returns a module": comp(returning([LINEAR]), (X,)),
    "returns a type": comp(returning(int), (X,)),
    "returns an array": comp(returning(np.ones(3)), (X,)),
    "returns a generator": comp(lambda a: (a for _ in [1]), (X,)),
    # dynamic
    "dynamic str": dyn("b"),
    "dynamic int": dyn(3),
    "dynamic list of another length": dyn([{0: "b"}, None]),
    "dynamic misspelt": dyn({"inputs": {0: "b"}}),
    "dynamic not a mapping": dyn({"input": "b"}),
    "dynamic dimension 9": dyn({"input": {9: "b"}}),
    "dynamic dimension True": dyn({"input": {True: "b"}}),
    "dynamic dimension '0'": dyn({"input": {"0": "b"}}),
    "dynamic dimension twice": dyn({"input": {0: "b", -2: "c"}}),
    "dynamic least above most": dyn({"input": {0: ("b", 5, 2)}}),
    "dynamic range without the example": dyn({"input": {0: ("b", 5, 9)}}),
    "dynamic range of one": dyn({"input": {0: ("b",)}}),
    "dynamic range of floats": dyn({"input": {0: ("b", 1.5, 4)}}),
    "dynamic range negative": dyn({"input": {0: ("b", -1, 4)}}),
    "dynamic no identifier": dyn({"input": {0: "a b"}}),
    "dynamic bytes": dyn({"input": {0: b"b"}}),
    "dynamic object": dyn({"input": {0: object()}}),
    "dynamic another size": dyn({"input": {0: 5}}),
    "dynamic list too long": dyn({"input": ["b", None, None]}),
    "dynamic list too short": dyn({"input": ["b"]}),
    "dynamic of an example of 1": dyn({"input": {0: "b"}}, args=(X[:1],)),
    "dynamic of an example of 0": dyn({"input": {0: "b"}}, args=(X[:0],)),
    "dynamic of a hint and an example of 1": dyn({"input": {0: Dim.DYNAMIC}}, args=(X[:1],)),
    "dynamic of a number": dyn({"b": {0: "n"}}, scaled, (X, 3.0)),
    "dynamic of a number, as a hint": dyn({"b": Dim.DYNAMIC}, scaled, (X, 3.0)),
    "dynamic of None": dyn({"k": {0: "n"}}, scaled, (X, 3.0), kwargs={"k": None}),
    "dynamic two ranges": dyn({"a": {0: ("n", 2, 8)}, "b": {0: ("n", 2, 9)}}, pair, (X, X)),
    "dynamic two sizes": dyn({"a": {0: "n"}, "b": {1: "n"}}, pair, (X, X)),
    "dynamic nested, misspelt": dyn({"other": {"y": {0: "n"}}}, first, (X, {"x": X})),
    "dynamic nested, too short": dyn({"other": [{0: "n"}]}, first, (X, [X, X])),
    "dynamic nested, str": dyn({"other": "n"}, first, (X, [X, X])),
    "dynamic nested, no such place": dyn({"other": {2: {0: "n"}}}, first, (X, [X, X])),
    # split_at, sizes, progress, runs, store
    "split_at int": comp(LINEAR, (X,), split_at=3),
    "split_at ints": comp(LINEAR, (X,), split_at=[3]),
    "split_at unknown": comp(LINEAR, (X,), split_at="aten::nothing"),
    "split_at raises": comp(LINEAR, (X,), split_at=lambda node: 1 / 0),
    "split_at gives a number": comp(LINEAR, (X,), split_at=lambda node: 5),
    "sizes str": sized("b"),
    "sizes list": sized([1]),
    "sizes number": sized({"b": 4}),
    "sizes of text": sized({"b": ["a"]}),
    "sizes of floats": sized({"b": [2.5]}),
    "sizes unknown": sized({"zz": [4]}),
    "sizes out of range": sized({"b": [99]}),
    "progress int": comp(LINEAR, (X,), progress=3),
    "runs 0": lambda m: m.compiled.profile(runs=0),
    "runs str": lambda m: m.compiled.profile(runs="a"),
    "store str": lambda m: fc.compile_cached(LINEAR, (X,), store="x"),
    "cached kwargs a list": lambda m: fc.compile_cached(LINEAR, (), [X]),
    "cached args a tensor": lambda m: fc.compile_cached(LINEAR, X),
    "cached dynamic str": lambda m: fc.compile_cached(LINEAR, (X,), dynamic="b"),
    # load, save, inspect, verify
    "load None": lambda m: fc.load(None, LINEAR),
    "load int": lambda m: fc.load(3, LINEAR),
    "load nothing there": lambda m: fc.load(m.folder / "none", LINEAR),
    "load a folder": lambda m: fc.load(m.folder, LINEAR),
    "load a path with a zero": lambda m: fc.load("a\0b", LINEAR),
    "load an empty path": lambda m: fc.load("", LINEAR),
    "load a long path": lambda m: fc.load("a" * 5000, LINEAR),
    "load a compiled model": lambda m: fc.load(m.compiled, LINEAR),
    "load an open file": lambda m: fc.load(m.path.open("rb"), LINEAR),
    "load without a model": lambda m: fc.load(m.path, None),
    "load for a str": lambda m: fc.load(m.path, "model"),
    "load for a list": lambda m: fc.load(m.path, [LINEAR]),
    "load for a class": lambda m: fc.load(m.path, nn.Linear),
    "load for another model": lambda m: fc.load(m.path, nn.Conv2d(1, 1, 1)),
    "load for other sizes": lambda m: fc.load(m.path, nn.Linear(5, 5)),
    "load of arrays": lambda m: fc.load(m.path, {"weight": X.numpy(), "bias": X}),
    "load of numbers": lambda m: fc.load(m.path, {0: X}),
    "load via nothing": lambda m: fc.load(m.path, LINEAR, via="x"),
    "load via None": lambda m: fc.load(m.path, LINEAR, via=None),
    "load via a list": lambda m: fc.load(m.path, LINEAR, via=["native"]),
    "load trust": lambda m: fc.load(m.path, LINEAR, trust="abc"),
    "load trust True": lambda m: fc.load(m.path, LINEAR, trust=True),
    "load on_mismatch": lambda m: fc.load(m.path, LINEAR, on_mismatch=3),
    "save None": lambda m: m.compiled.save(None),
    "save int": lambda m: m.compiled.save(3),
    "save to a folder": lambda m: m.compiled.save(m.folder),
    "save into nothing": lambda m: m.compiled.save(m.folder / "no" / "x"),
    "save to an empty path": lambda m: m.compiled.save(""),
    "inspect None": lambda m: fc.inspect(None),
    "inspect int": lambda m: fc.inspect(3),
    "inspect nothing there": lambda m: fc.inspect(m.folder / "none"),
    "inspect a compiled model": lambda m: fc.inspect(m.compiled),
    "verify None": lambda m: fc.verify(None),
    "verify int": lambda m: fc.verify(3),
    "verify nothing there": lambda m: fc.verify(m.folder / "none"),
    "verify a folder": lambda m: fc.verify(m.folder),
    # calls
    "call None": lambda m: m.loaded(None),
    "call nothing": lambda m: m.loaded(),
    "call two": lambda m: m.loaded(X, X),
    "call another name": lambda m: m.loaded(inp=X),
    "call twice": lambda m: m.loaded(X, input=X),
    "call an array": lambda m: m.loaded(X.numpy()),
    "call a list": lambda m: m.loaded([X]),
    "call a tuple": lambda m: m.loaded((X,)),
    "call a dict": lambda m: m.loaded({"input": X}),
    "call a str": lambda m: m.loaded("x"),
    "call another dtype": lambda m: m.loaded(X.double()),
    "call another shape": lambda m: m.loaded(X.T),
    "call another rank": lambda m: m.loaded(X[None]),
    "call with a gradient": lambda m: m.loaded(X.clone().requires_grad_()),
    "call another constant": lambda m: m.scaled(X, 4.0, k=X),
    "call int for float": lambda m: m.scaled(X, 3, k=X),
    "call None for a tensor": lambda m: m.scaled(X, 3.0, k=None),
    "call what was left out": lambda m: m.plain(X, b=5.0),
    "call fewer": lambda m: m.summed(X, z=X),
    "call more": lambda m: m.summed(X, X, X, z=X),
    "call more names": lambda m: m.summed(X, X, z=X, y=X),
    "call other names": lambda m: m.summed(X, X, w=X),
    "value 1 for True": other_value("true", 1),
    "value of another enum": other_value("level", 2),
    "value of Python for NumPy": other_value("np", 1.5),
    "value of another dtype": other_value("dtype", torch.float32),
    "value of another set": other_value("set", {"a", "c"}),
    "value of another path": other_value("path", pathlib.Path("a/c")),
    "value of another decimal": other_value("decimal", decimal.Decimal("0.50")),
    "value that has no data": other_value("none", object()),
    "value of another nesting": other_value("empty", ([], {}, ())),
    "value more": other_value("more", 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_cannot_be_is_refused_in_our_words(made: Made, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(FastCompileError) as caught:
            REFUSED[name](made)
    assert caught.value.what.strip()
    assert caught.value.hint.strip()
    assert str(caught.value)[-1] in ".?)'\""


def test_a_keyword_that_does_not_exist_is_pythons_own_error(made: Made) -> None:
    with pytest.raises(TypeError, match="dynamik"):
        fc.compile(LINEAR, (X,), dynamik={})  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="trusted"):
        fc.load(made.path, LINEAR, trusted=True)  # type: ignore[call-arg]


# --- forms of `dynamic` that mean the same --------------------------------------------------------


@pytest.mark.parametrize(
    "dynamic",
    [
        {"input": {0: "b"}},
        {"input": {-2: "b"}},
        {"input": ["b", None]},
        {"input": ("b", None)},
        ({0: "b"},),
        [{0: Dim("b")}],
        {"input": {0: "b", 1: 4}},
        {"input": {0: "b", 1: Dim.STATIC}},
        {"input": {0: ("b", None, None)}},
    ],
)
def test_dynamic_may_be_written_in_several_forms(dynamic: Any) -> None:
    from ipy_fastcompile.engine.calls.capture import capture

    assert [s.name for s in capture(LINEAR, (X,), dynamic=dynamic).symbols] == ["b"]


@pytest.mark.parametrize("name", ["input", "class", "E", "None", "weight", "x_1"])
def test_a_dimension_may_have_any_name(name: str) -> None:
    from ipy_fastcompile.engine.calls.capture import capture

    captured = capture(LINEAR, (X,), dynamic={"input": {0: name}})
    assert captured.symbols[0].name.startswith(name)


def test_a_function_of_c_without_a_signature_is_captured() -> None:
    from ipy_fastcompile.engine.calls.capture import capture

    assert [i.path for i in capture(torch.relu, (X,)).inputs] == ["args[0]"]


def test_constants_with_lazy_bits_are_stored_resolved() -> None:
    conjugate = torch.randn(4, dtype=torch.complex64).conj()
    negative = torch.randn(4, dtype=torch.complex64).conj().imag
    function = fc.compile(lambda a: (a * conjugate).abs() + negative, (X,))
    torch.testing.assert_close(function(X), (X * conjugate).abs() + negative)
