"""Buffers that a call assigns hold afterwards what eager's hold, call after call."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from tests.unit.engine.graphs import result_of

X = torch.linspace(-1, 1, 12).reshape(3, 4)
How = Callable[[Any, Tensor], Tensor]


class Keeps(nn.Module):
    """Buffers of several kinds, one of them None before all others."""

    def __init__(self, how: How) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.register_buffer("none", None)
        self.norm = nn.BatchNorm1d(4, track_running_stats=False)
        self.linear = nn.Linear(4, 4)
        self.register_buffer("a", torch.arange(12.0).reshape(3, 4))
        self.register_buffer("b", torch.arange(12.0).reshape(3, 4) ** 2)
        self.register_buffer("hidden", torch.full((3, 4), 2.0), persistent=False)
        self.register_buffer("row", torch.zeros(4))
        self.register_buffer("i", torch.arange(12).reshape(3, 4))
        self.register_buffer("j", torch.arange(12).reshape(3, 4) * 3)
        self.child = nn.Module()
        self.child.register_buffer("none", None)
        self.child.register_buffer("c", torch.ones(3, 4))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.how(self, x)


def op_by_op(model: Any) -> Callable[[Tensor], Any]:
    captured = capture(model, (X,))
    return lambda x: result_of(captured, model, (x,))[0]


def compiled(model: Any) -> Callable[[Tensor], Any]:
    return fc.compile(model, (X,))


def compare(how: How, make: Callable[[Any], Callable[[Tensor], Any]]) -> None:
    """Three calls of what ``make`` makes and of a copy: results, arguments, buffers."""
    model = Keeps(how)
    twin = copy.deepcopy(model)
    function = make(model)
    for name, buffer in twin.named_buffers():
        assert torch.equal(buffer, model.get_buffer(name)), name
    held = dict(model.named_buffers())
    for number in range(3):
        x = X * (number + 1)
        other = x.clone()
        with torch.no_grad():
            expected = twin(other)
        torch.testing.assert_close(function(x), expected)
        torch.testing.assert_close(x, other)
        for name, buffer in twin.named_buffers():
            if name in held and (buffer.shape, buffer.dtype) == (
                held[name].shape,
                held[name].dtype,
            ):
                torch.testing.assert_close(held[name], buffer, msg=name)
    assert all(model.get_buffer(name) is buffer for name, buffer in held.items())


def steps(*assign: tuple[str, Callable[[Any, Tensor], Any]], then: How) -> How:
    def how(model: Any, x: Tensor) -> Tensor:
        for name, value in assign:
            owner, _, last = name.rpartition(".")
            setattr(model.get_submodule(owner), last, value(model, x))
        return then(model, x)

    return how


def swaps(model: Any, x: Tensor) -> Tensor:
    model.a, model.b = model.b, model.a
    return x + model.a


def returns_the_old_one(model: Any, x: Tensor) -> Tensor:
    old = model.a
    model.a = x + old
    return old[1:]


def adds_and_assigns(model: Any, x: Tensor) -> Tensor:
    model.a.add_(x)
    model.a = model.a * 2
    model.a.add_(1)
    return model.a * 1


ASSIGNED: dict[str, How] = {
    "read": steps(("a", lambda m, x: m.a + x), then=lambda m, _: m.a * 1),
    "twice": steps(("a", lambda m, x: m.a + x), ("a", lambda m, _: m.a * 2), then=lambda m, _: m.a),
    "of a child": steps(("child.c", lambda m, x: m.child.c + x), then=lambda m, _: m.child.c * 2),
    "not persistent": steps(("hidden", lambda m, x: m.hidden + x), then=lambda m, _: m.hidden),
    "to an input": steps(("a", lambda _, x: x), then=lambda m, x: m.b + x),
    "to each other": swaps,
    "old one returned": returns_the_old_one,
    "and in place": adds_and_assigns,
}


@pytest.mark.parametrize("name", ASSIGNED)
def test_an_assigned_buffer_is_written(name: str) -> None:
    assert capture(Keeps(ASSIGNED[name]), (X,)).notes == ()
    compare(ASSIGNED[name], op_by_op)


UNREAD: dict[str, tuple[How, str]] = {
    "none": (steps(("none", lambda _, x: x * 2), then=lambda m, x: m.linear(x)), "none"),
    "none of a child": (
        steps(("child.none", lambda _, x: x), then=lambda m, x: m.linear(x)),
        r"child\.none",
    ),
    "another shape": (steps(("row", lambda _, x: x), then=lambda m, x: m.linear(x)), "row"),
    "another dtype": (steps(("a", lambda _, x: x.long()), then=lambda m, x: m.linear(x)), "a"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_no_write_can_do_is_named_and_changes_nothing_else(name: str) -> None:
    how, where = UNREAD[name]
    with pytest.warns(errors.FastCompileWarning, match=rf"a change of Keeps\.{where} .*eager's"):
        compare(how, op_by_op)


def test_an_assigned_buffer_that_has_two_names_is_no_write() -> None:
    model = Keeps(steps(("a", lambda m, x: m.a + x), then=lambda m, _: m.a + m.again))
    model.register_buffer("again", model.a)
    with pytest.raises(errors.CaptureError, match=r"depends on .* Keeps\.a "):
        capture(model, (X,))


# --- values that move between tensors that are written to ----------------------------------------


def moved(copied: How, first: str, second: str) -> How:
    def how(model: Any, x: Tensor) -> Tensor:
        one, other = (x if n == "x" else getattr(model, n) for n in (first, second))
        kept = copied(model, one)
        one.copy_(other)
        other.copy_(kept)
        return (model.a + model.b + model.i) * 1

    return how


def at_once(model: Any, x: Tensor) -> Tensor:
    torch._foreach_copy_([model.a, model.b], [model.b, model.a.clone()])
    return x + model.a


MOVES: dict[str, How] = {
    "assigned": swaps,
    "copy": moved(lambda _, t: t.clone(), "a", "b"),
    "integers": moved(lambda _, t: t.clone(), "i", "j"),
    "concatenated": moved(lambda _, t: torch.cat([t]), "a", "b"),
    "with an input": moved(lambda _, t: t.clone(), "x", "a"),
    "several at once": at_once,
}


@pytest.mark.parametrize("name", MOVES)
def test_tensors_that_swap_values_do(name: str) -> None:
    compare(MOVES[name], compiled)


@pytest.mark.parametrize("drop", [nn.Dropout(0.5).eval(), nn.Dropout(0.0)])
def test_what_is_written_behind_a_dropout_is_written_before_it(drop: nn.Module) -> None:
    def how(_: Any, x: Tensor) -> Tensor:
        y = drop(x)
        y += 1
        return F.relu(y) + x

    compare(how, compiled)
