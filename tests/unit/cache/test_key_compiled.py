"""Keys of models of which `torch.compile` wraps a part: they match, and say what the part is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile.cache.changes import diff_components
from ipy_fastcompile.cache.key.call import CallKey, make_key

X = torch.linspace(-1, 1, 8).reshape(2, 4)


class Part(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return self.layer(x) * self.factor


class Whole(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.part = Part(factor)
        self.last = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.last(self.part(x))


class Calls(nn.Module):
    """Calls a function that is compiled."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def a_part(factor: float) -> nn.Module:
    model = Whole(factor)
    model.part = torch.compile(model.part, backend="eager")  # type: ignore[assignment]
    return model


def a_layer(factor: float) -> nn.Module:
    model = Whole(factor)
    model.last = torch.compile(model.last, backend="eager")  # type: ignore[assignment]
    return model


def a_part_with_options(factor: float) -> nn.Module:
    model = Whole(factor)
    part = torch.compile(model.part, backend="eager", dynamic=True, fullgraph=True)
    model.part = part  # type: ignore[assignment]
    return model


def a_part_in_place(factor: float) -> nn.Module:
    model = Whole(factor)
    model.part.compile(backend="eager")
    return model


def a_method(factor: float) -> nn.Module:
    model = Whole(factor)
    model.part.forward = torch.compile(model.part.forward, backend="eager")  # type: ignore[method-assign]
    return model


def a_function(factor: float) -> nn.Module:
    return Calls(torch.compile(lambda x: x * factor, backend="eager"))


def a_function_with_options(factor: float) -> nn.Module:
    return Calls(torch.compile(lambda x: x * factor, backend="eager", dynamic=True))


WRAPPED: list[Callable[[float], nn.Module]] = [
    a_part,
    a_layer,
    a_part_with_options,
    a_part_in_place,
    a_method,
    a_function,
    a_function_with_options,
]


def key(model: nn.Module) -> CallKey:
    return make_key(model.eval(), (X,))


@pytest.mark.parametrize("make", WRAPPED, ids=lambda make: make.__name__)
def test_a_wrapped_part_matches_what_is_made_anew(make: Callable[[float], nn.Module]) -> None:
    first = key(make(1.0))
    assert first.uncovered == ()
    assert key(make(1.0)) == first
    (change,) = _changes(first, key(make(2.0)))
    assert (change.component, len(change.lines)) == ("structure", 1)
    assert "1.0 -> " in change.lines[0]
    assert change.lines[0].endswith("2.0")


@pytest.mark.parametrize("make", WRAPPED, ids=lambda make: make.__name__)
def test_a_wrapped_part_is_the_same_once_it_has_run(make: Callable[[float], nn.Module]) -> None:
    model = make(1.0).eval()
    before = key(model)
    with torch.no_grad():
        model(X)
    torch._dynamo.reset()
    assert _changes(before, key(model)) == ()


def _changes(before: CallKey, after: CallKey) -> tuple[Any, ...]:
    return diff_components(before.key.components, after.key.components)


def test_a_backend_of_the_users_counts_with_its_code() -> None:
    def twice(graph: Any, inputs: Any) -> Any:
        return lambda *args: [x * 2 for x in graph(*args)]

    def thrice(graph: Any, inputs: Any) -> Any:
        return lambda *args: [x * 3 for x in graph(*args)]

    def made(backend: Any) -> nn.Module:
        model = Whole()
        model.part = torch.compile(model.part, backend=backend)  # type: ignore[assignment]
        return model

    assert key(made(twice)) == key(made(twice))
    assert key(made(twice)) != key(made(thrice))


_CHILD = """
from tests.unit.cache.test_key_compiled import WRAPPED, key
for make in WRAPPED:
    print(make.__name__, key(make(1.0)).key.digest)
"""


def test_keys_of_wrapped_parts_are_equal_in_another_process() -> None:
    def child(seed: int) -> str:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _CHILD],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    first = child(1)
    assert len(first.splitlines()) == len(WRAPPED)
    assert child(2) == first
