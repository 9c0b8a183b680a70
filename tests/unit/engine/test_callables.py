"""What is captured is what the call runs: hooks, methods, functions, partials, callable objects."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.engine.graphs import assert_captures_right

X = torch.arange(12.0).reshape(3, 4)


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
        return self.linear(x) * scale


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = Inner()

    def forward(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
        return self.inner(x, scale=scale) + 1

    def encode(self, x: Tensor) -> Tensor:
        return self.inner(x) * 2

    def through_itself(self, x: Tensor) -> Tensor:
        return self(x) * 3

    @staticmethod
    def halved(x: Tensor) -> Tensor:
        return x / 2

    @classmethod
    def doubled(cls, x: Tensor) -> Tensor:
        return x * 2


def plus_hundred(_: nn.Module, __: Any, output: Tensor) -> Tensor:
    return output + 100


def ten_more(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (args[0] + 10, *args[1:])


def keywords_before(_: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
    return args, {**kwargs, "scale": 5.0}


def keywords_after(_: nn.Module, __: Any, kwargs: Any, output: Tensor) -> Tensor:
    return output * kwargs.get("scale", 7.0)


def hooked(*, inner: bool = False) -> Encoder:
    model = Encoder().eval()
    on: nn.Module = model.inner if inner else model
    on.register_forward_hook(plus_hundred)
    on.register_forward_pre_hook(ten_more)
    on.register_forward_pre_hook(keywords_before, with_kwargs=True)
    on.register_forward_hook(keywords_after, with_kwargs=True, always_call=True)
    return model


@pytest.fixture
def hooks_everywhere() -> Iterator[None]:
    def hook(module: nn.Module, _: Any, output: Any) -> Any:
        return output + 1000 if isinstance(module, (Encoder, Inner)) else output

    handle = nn.modules.module.register_module_forward_hook(hook)
    yield
    handle.remove()


METHODS = ("forward", "encode", "through_itself", "halved", "doubled", "__call__")


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_runs_the_hooks_that_calling_it_runs(name: str, inner: bool) -> None:
    assert_captures_right(getattr(hooked(inner=inner), name), X)


@pytest.mark.parametrize("name", METHODS)
def test_hooks_of_all_modules_run_where_they_do_in_eager(name: str, hooks_everywhere: None) -> None:
    assert_captures_right(getattr(Encoder().eval(), name), X)


@pytest.mark.parametrize("inner", [False, True])
def test_calling_a_module_runs_all_of_its_hooks_once(inner: bool) -> None:
    assert_captures_right(hooked(inner=inner), X)
    assert_captures_right(hooked(inner=inner), X, kwargs={"scale": 2.0})


def test_hooks_stay_as_they_were() -> None:
    model = hooked()
    before = dict(model._forward_hooks), dict(model._forward_pre_hooks)
    assert_captures_right(model, X)
    assert (dict(model._forward_hooks), dict(model._forward_pre_hooks)) == before


class Pipeline:
    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __call__(self, x: Tensor) -> Tensor:
        return self.model(x) - 1

    def run(self, x: Tensor) -> Tensor:
        return self.model.encode(x) - 2


def replaced(model: Encoder) -> Encoder:
    model.forward = lambda x, scale=2.0: x + 5 * scale  # type: ignore[method-assign]
    return model


WAYS: dict[str, Callable[[Encoder], Any]] = {
    "lambda": lambda model: lambda x: model(x) * 2,
    "partial of a module": lambda model: functools.partial(model, scale=3.0),
    "partial of a method": lambda model: functools.partial(model.encode),
    "partial of a function": lambda model: functools.partial(lambda m, x: m(x), model),
    "callable object": Pipeline,
    "method of a plain object": lambda model: Pipeline(model).run,
    "forward replaced": replaced,
    "decorated": lambda model: torch.no_grad()(model.encode),
    "function of the class": lambda model: functools.partial(Encoder.encode, model),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_callable_is_captured_as_it_runs(way: str) -> None:
    assert_captures_right(WAYS[way](hooked()), X)


class OwnCall(Encoder):
    def __call__(self, x: Tensor, more: float = 1.0) -> Tensor:  # type: ignore[override]
        return super().__call__(x) * 2 + more


def test_a_module_whose_class_says_what_calling_it_does_is_called_that_way() -> None:
    model = OwnCall().eval()
    model.register_forward_hook(plus_hundred)
    captured = assert_captures_right(model, X)
    assert {p.name for p in captured.parameters} == {"inner.linear.weight", "inner.linear.bias"}
    assert_captures_right(model, X, kwargs={"more": 3.0})
    assert_captures_right(model.forward, X)


def test_weights_that_hooks_of_torch_compute_are_no_effects() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # in favour of parametrizations
        model = nn.utils.weight_norm(nn.Linear(4, 4)).eval()
    spectral = nn.utils.spectral_norm(nn.Linear(4, 4)).eval()
    new = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)).eval()
    for layer in (model, spectral, new):
        assert assert_captures_right(layer, X).notes == ()
