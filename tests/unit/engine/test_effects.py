"""A capture leaves the model as it was, and what a compiled call will not do is named."""

from __future__ import annotations

import collections
import functools
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.snapshot import changes_since, restore, take_snapshot
from ipy_fastcompile.torch_compat import tensor_kinds

X = torch.ones(3, 4)
CALLS = 0
KEPT: dict[str, Any] = {}
SETTINGS = types.SimpleNamespace(seen=0)


class Keeps(nn.Module):
    """A model that does things besides its result, as ``how`` says."""

    shared = 0

    def __init__(self, how: Callable[[Keeps, Tensor], Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.how = how
        self.calls = 0
        self.last: Any = None
        self.history: list[Any] = []
        self.by_name: dict[str, Any] = {}
        self.recent: collections.deque[Any] = collections.deque(maxlen=2)
        self.names: set[str] = set()
        self.nested: dict[str, list[Any]] = {"a": []}
        self.state = types.SimpleNamespace(step=0, tensor=None)
        self.counts = np.zeros(2)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        self.how(self, y)
        return y * 2


def counts_calls(_: Any, __: Any) -> None:
    global CALLS  # noqa: PLW0603 - what is tested
    CALLS += 1


EFFECTS: dict[str, tuple[Callable[[Any, Tensor], Any], str]] = {
    "counter": (lambda m, _: setattr(m, "calls", m.calls + 1), r"Keeps\.calls \(0, then 1\)"),
    "attribute": (lambda m, y: setattr(m, "last", y), r"Keeps\.last"),
    "attribute of a layer": (lambda m, y: setattr(m.linear, "kept", y), r"Keeps\.linear\.kept"),
    "new attribute": (lambda m, y: setattr(m, "fresh", y), r"Keeps\.fresh"),
    "list": (lambda m, y: m.history.append(y), r"Keeps\.history\[0\]"),
    "dict": (lambda m, y: m.by_name.update(y=y), r"Keeps\.by_name\['y'\]"),
    "deque": (lambda m, y: m.recent.append(y), r"Keeps\.recent\[0\]"),
    "set": (lambda m, _: m.names.add("seen"), r"Keeps\.names"),
    "nested": (lambda m, y: m.nested["a"].append(y), r"Keeps\.nested\['a'\]\[0\]"),
    "object": (lambda m, y: setattr(m.state, "tensor", y), r"Keeps\.state\.tensor"),
    "array": (lambda m, _: m.counts.__setitem__(0, 5), r"Keeps\.counts"),
    "global": (counts_calls, r"CALLS \(0, then 1\)"),
    "global dict": (lambda _, y: KEPT.update(y=y), r"KEPT\['y'\]"),
    "global object": (lambda _, __: setattr(SETTINGS, "seen", 1), r"SETTINGS\.seen"),
    "class": (lambda m, _: setattr(type(m), "shared", 9), r"Keeps\.shared"),
    "mode": (lambda m, _: m.linear.train(), r"Keeps\.linear\.training"),
    "print": (lambda _, __: print("here"), "what it prints"),
}


def fakes_in(model: Any) -> list[str]:
    """Places that hold a fake tensor, beside what the tests above look at themselves."""
    found = take_snapshot({"model": model})
    return [
        holder.name(key)
        for holder in found.holders
        for key, value in holder.held.items()
        if isinstance(value, torch.Tensor) and tensor_kinds.is_fake(value)
    ]


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_undone_and_named(name: str) -> None:
    how, words = EFFECTS[name]
    model = Keeps(how)
    before = take_snapshot({"model": model, "globals": [KEPT, SETTINGS, Keeps]})
    with pytest.warns(errors.FastCompileWarning, match=words):
        captured = capture(model, (X,))
    assert changes_since(before) == ()
    assert fakes_in(model) == []
    assert CALLS == 0
    assert len(captured.notes) == 1
    assert "leaves out" in captured.notes[0]


@pytest.mark.parametrize("name", EFFECTS)
def test_a_capture_that_fails_undoes_it_as_well(name: str) -> None:
    def how(model: Any, y: Tensor) -> None:
        EFFECTS[name][0](model, y)
        raise ValueError("on purpose")

    model = Keeps(how)
    before = take_snapshot({"model": model, "globals": [KEPT, SETTINGS, Keeps]})
    with pytest.raises(errors.CaptureError, match="on purpose"):
        capture(model, (X,))
    assert changes_since(before) == ()
    assert CALLS == 0


def test_what_hooks_keep_is_undone_and_named() -> None:
    features: dict[str, Any] = {}
    model = Keeps(lambda *_: None)
    model.linear.register_forward_hook(lambda _, __, out: features.__setitem__("linear", out))
    with pytest.warns(errors.FastCompileWarning, match=r"features\['linear'\]"):
        capture(model, (X,))
    assert features == {}


@pytest.mark.parametrize("call", ["function", "method", "partial", "object"])
def test_effects_of_what_a_callable_reaches_are_seen(call: str) -> None:
    model = Keeps(EFFECTS["counter"][0])

    class Holds:
        def __call__(self, x: Tensor) -> Tensor:
            return model(x)

    ways: dict[str, Any] = {
        "function": lambda x: model(x) + 1,
        "method": model.forward,
        "partial": functools.partial(model),
        "object": Holds(),
    }
    with pytest.warns(errors.FastCompileWarning, match=r"\.calls \(0, then 1\)"):
        capture(ways[call], (X,))
    assert model.calls == 0


def test_a_nonlocal_is_put_back() -> None:
    calls = 0

    def call(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return x + 1

    with pytest.warns(errors.FastCompileWarning, match=r"calls \(0, then 1\)"):
        capture(call, (X,))
    assert calls == 0


@functools.lru_cache
def remembered(size: int) -> Tensor:
    return torch.ones(size, size).tril()


def test_a_memory_of_results_holds_no_fake_tensor() -> None:
    capture(lambda x: x @ remembered(4), (X,))
    assert not tensor_kinds.is_fake(remembered(4))


def test_a_write_to_a_tensor_that_is_no_buffer_is_named() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total = torch.zeros(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.total[1:].add_(x[1:])
            return self.total * 1

    model = Plain().eval()
    with pytest.warns(errors.FastCompileWarning, match="what it writes to the tensor total"):
        capture(model, (X,))
    assert not model.total.any()


def test_a_buffer_that_is_updated_in_place_is_no_effect_left_out() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.count.add_(1)
            return x + self.count

    assert capture(Counts().eval(), (X,)).notes == ()


def test_generators_and_gradients_stay_as_they_were() -> None:
    model = nn.Linear(4, 4)
    model(X).sum().backward()
    gradient = model.weight.grad
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    capture(model.eval(), (X,))
    assert model.weight.grad is gradient
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()


def test_a_snapshot_copies_no_tensor_and_restores_order_and_slots() -> None:
    class Slotted:
        __slots__ = ("kept", "other")

        def __init__(self) -> None:
            self.kept = torch.ones(3)

    slotted, ordered = Slotted(), collections.OrderedDict(a=1, b=2)
    tensor = slotted.kept
    before = take_snapshot({"slotted": slotted, "ordered": ordered})
    ordered.move_to_end("a")
    slotted.other, slotted.kept = 5, torch.zeros(3)
    assert [str(c.where) for c in changes_since(before)] == ["slotted.kept", "slotted.other"]
    restore(before)
    assert list(ordered) == ["a", "b"]
    assert slotted.kept is tensor
    assert not hasattr(slotted, "other")
