"""A compiled function under the caller's modes: right, or one error that names the mode."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import ipy_fastcompile as fc
from ipy_fastcompile.errors import CaptureError, FastCompileError, InputError

pytestmark = pytest.mark.slow


class Attending(nn.Module):
    """Kernels around an op that runs uncompiled between them, and a buffer that is written to."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(16, 16)
        self.last = nn.Linear(16, 16)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1)
        y = self.first(x)[:, None]
        return self.last(F.scaled_dot_product_attention(y, y, y)) + self.calls


@pytest.fixture(scope="module")
def model() -> Attending:
    torch.manual_seed(0)
    return Attending().eval()


@pytest.fixture(scope="module")
def compiled(model: Attending) -> Any:
    return fc.compile(model, (torch.randn(2, 8, 16),))


@pytest.fixture(scope="module")
def path(compiled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("modes") / "attending.fastcompile"
    compiled.save(file)
    return file


@pytest.fixture(params=["native", "torch", "fx", "compiled"])
def function(request: Any, compiled: Any, path: Path, model: Attending) -> Any:
    if request.param == "compiled":
        return compiled
    return fc.load(path, model, via=request.param)


X = torch.linspace(-1, 1, 2 * 8 * 16).reshape(2, 8, 16)


def eager(model: Attending, x: Tensor = X) -> Tensor:
    model.calls.zero_()
    with torch.no_grad():
        expected = model(x)
    model.calls.zero_()
    return expected


class Doubling(TorchDispatchMode):
    """Every op that yields floating point yields twice that."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made * 2 if isinstance(made, Tensor) and made.is_floating_point() else made


class Halving(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.half() if isinstance(made, Tensor) and made.is_floating_point() else made


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


ASIDE: dict[str, Callable[[], Any]] = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
    "autocast of another device": lambda: torch.autocast("cuda", torch.bfloat16),
    "a default device": lambda: torch.device("meta"),
    "a default device for good": lambda: default_device("meta"),
    "a default dtype": lambda: default_dtype(torch.float64),
    "deterministic algorithms": deterministic,
    "inference mode": torch.inference_mode,
    "gradients": torch.enable_grad,
    "a mode that counts": lambda: FlopCounterMode(display=False),
    "a mode that changes ops": Doubling,
    "a mode that changes functions": Halving,
    "a dual level": forward_ad.dual_level,
}


@pytest.mark.filterwarnings("ignore:User provided device_type")
@pytest.mark.parametrize("name", ASIDE)
def test_what_was_compiled_is_computed_whatever_is_on(
    name: str, function: Any, model: Attending
) -> None:
    expected = eager(model)
    with ASIDE[name]():
        found = function(X)
    assert found.dtype is torch.float32
    assert found.device.type == "cpu"
    torch.testing.assert_close(found.clone(), expected)
    assert model.calls.item() == 1
    after = function(X)
    torch.testing.assert_close(after, expected + 1)  # what was set aside left nothing behind


def test_the_modes_are_there_again_after_the_call(function: Any, model: Attending) -> None:
    with torch.autocast("cpu", torch.bfloat16), FlopCounterMode(display=False) as counter:
        with torch.device("meta"):
            function(X)
            assert torch.ones(1).device.type == "meta"
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") is torch.bfloat16
        before = counter.get_total_flops()
        torch.ones(4, 4) @ torch.ones(4, 4)
        assert counter.get_total_flops() > before


def test_an_error_of_the_call_leaves_the_modes_on(function: Any) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(InputError, match="dimension 2"):
            function(torch.randn(2, 8, 17))
        assert torch.is_autocast_enabled("cpu")


class Caller(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = [function]

    def forward(self, x: Tensor) -> Tensor:
        return self.function[0](x) + 0


TRACED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "make_fx": (lambda f: make_fx(f)(X), "make_fx"),
    "make_fx on fakes": (lambda f: make_fx(f, tracing_mode="fake")(X), "FakeTensorMode"),
    "make_fx before dispatch": (lambda f: make_fx(f, pre_dispatch=True)(X), "torch.export"),
    "export": (lambda f: torch.export.export(Caller(f), (X,)), "FakeTensorMode"),
    "jit.trace": (lambda f: torch.jit.trace(lambda x: f(x) + 0, X), "torch.jit.trace"),
    "vmap": (lambda f: torch.func.vmap(f)(X[None]), "torch.func.vmap"),
    "grad": (lambda f: torch.func.grad(lambda x: f(x).sum())(X), "torch.func.grad"),
    "jvp": (lambda f: torch.func.jvp(f, (X,), (X,)), "torch.func.jvp"),
    "functionalize": (lambda f: torch.func.functionalize(f)(X), "torch.func transform"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", TRACED)
def test_a_call_that_would_be_recorded_is_refused(
    name: str, function: Any, model: Attending
) -> None:
    call, words = TRACED[name]
    with pytest.raises(InputError, match=words):
        call(function)
    expected = eager(model)
    torch.testing.assert_close(function(X), expected)


def test_fake_tensors_are_refused_inside_and_outside_of_their_mode(function: Any) -> None:
    mode = FakeTensorMode()
    fake = mode.from_tensor(X)
    with pytest.raises(InputError, match="FakeTensor"):
        function(fake)
    with mode, pytest.raises(InputError, match="FakeTensorMode"):
        function(fake)
    with mode, pytest.raises(InputError, match="FakeTensorMode"):
        function(X)


def test_a_dual_number_is_refused_for_its_tangent_would_be_lost(function: Any) -> None:
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(X, torch.ones_like(X))
        with pytest.raises(InputError, match="x has a tangent"):
            function(dual)


def test_a_dual_weight_is_refused_as_well(function: Any, model: Attending) -> None:
    with forward_ad.dual_level():
        weights = {n: p.detach() for n, p in model.named_parameters()}
        weights["last.bias"] = forward_ad.make_dual(weights["last.bias"], torch.ones(16))
        kept = dict(model.last._parameters)
        model.last._parameters["bias"] = weights["last.bias"]  # as functional_call does
        try:
            with pytest.raises(InputError, match=r"last\.bias has a tangent"):
                function(X)
        finally:
            model.last._parameters.update(kept)


@pytest.mark.parametrize("gradients", [False, True])
def test_torch_compile_runs_it_as_it_is(function: Any, model: Attending, gradients: bool) -> None:
    expected = eager(model)
    torch.compiler.reset()

    def twice(x: Tensor) -> Tensor:
        return function(x * 2) * 2 - function(x * 2)

    fast = torch.compile(twice, backend="eager")
    with torch.set_grad_enabled(gradients):
        for factor in (0.5, 0.5, 1.0):  # the second call finds compiled code
            model.calls.zero_()
            x = X * factor
            expected = 2 * eager(model, x * 2) - (eager(model, x * 2) + 1)
            model.calls.zero_()
            torch.testing.assert_close(fast(x), expected)
            assert model.calls.item() == 2


def test_torch_compile_takes_a_module_that_calls_it(function: Any, model: Attending) -> None:
    expected = eager(model)
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(Caller(function), backend="eager")(X), expected)


def test_a_whole_graph_says_why_it_cannot_be(function: Any) -> None:
    torch.compiler.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="kernels that are compiled already"):
        torch.compile(lambda x: function(x) + 0, backend="eager", fullgraph=True)(X)


# --- loading and compiling under modes -----------------------------------------------------------


@pytest.mark.filterwarnings("ignore:User provided device_type")
@pytest.mark.parametrize("via", ["native", "torch", "fx"])
@pytest.mark.parametrize("name", ASIDE)
def test_a_load_is_the_same_whatever_is_on(
    name: str, via: str, path: Path, model: Attending
) -> None:
    expected = eager(model)
    with ASIDE[name]():
        function = fc.load(path, model, via=via)
    torch.testing.assert_close(function(X), expected)


def test_a_load_under_fake_tensors_is_refused(path: Path, model: Attending) -> None:
    with FakeTensorMode(), pytest.raises(FastCompileError, match=r"load.*FakeTensorMode"):
        fc.load(path, model)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).tanh() + 1


@pytest.mark.parametrize("name", ["inference mode", "gradients", "a mode that counts", "autocast"])
def test_a_compile_under_a_mode_computes_what_eager_does_under_it(name: str) -> None:
    modes = {**ASIDE, "autocast": lambda: torch.autocast("cpu", torch.bfloat16)}
    model, x = Small().eval(), torch.randn(3, 4)
    with modes[name](), torch.no_grad():
        compiled = fc.compile(model, (x,))
        expected = model(x)
        inside = compiled(x)
    outside = compiled(x)
    for found in (inside, outside):
        assert found.dtype is expected.dtype
        torch.testing.assert_close(found.clone(), expected.clone(), atol=1e-2, rtol=1e-2)


def test_a_compile_under_a_tracer_is_refused() -> None:
    model, x = Small().eval(), torch.randn(3, 4)
    with FakeTensorMode(), pytest.raises(CaptureError, match="FakeTensorMode"):
        fc.compile(model, (x,))
    with pytest.raises(CaptureError, match=r"torch\.func\.vmap"):
        torch.func.vmap(lambda y: fc.compile(model, (y,))(y))(x)
