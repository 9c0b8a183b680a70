"""`installed`: calls of a model run what was compiled, and only those that it was compiled for."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.errors import FastCompileWarning
from tests.tiny import everything


class Model(nn.Module):
    """It says of each call whether it is the model's own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, own: float = 1.0) -> torch.Tensor:
        if not torch.compiler.is_compiling():
            ran.append(self)
        return self.linear(x) * own

    def generate(self, x: torch.Tensor) -> torch.Tensor:
        return self(self(x), own=2.0)


ran: list[nn.Module] = []
X = torch.ones(2, 4)


@pytest.fixture(autouse=True)
def nothing_ran() -> Iterator[None]:
    ran.clear()
    yield
    ran.clear()


@pytest.fixture(scope="module")
def calls() -> Any:
    class Call:
        def __init__(self, name: str, kwargs: dict[str, Any]) -> None:
            self.name, self.args, self.kwargs = name, (X,), kwargs
            self.dynamic = {"x": {0: ("rows", 2, 64)}}

    return [Call("plain", {}), Call("scaled", {"own": 2.0})]


@pytest.fixture(scope="module")
def path(calls: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("installed") / "model.fastcompile"
    fc.compile(Model().eval(), calls=calls, split_at=everything).save(where)
    return where


@pytest.fixture
def model() -> Model:
    return Model().eval()


@pytest.fixture
def function(path: Path, model: Model) -> Any:
    return fc.load(path, model)


def is_untouched(model: nn.Module) -> bool:
    return "_compiled_call_impl" not in vars(model)


def test_calls_of_the_model_run_the_function_whoever_makes_them(
    function: Any, model: Model
) -> None:
    with torch.no_grad():
        expected = model(X), model.generate(X), nn.Sequential(model, nn.ReLU())(X)
        ran.clear()
        with function.installed(model, strict=True):
            found = model(X), model.generate(X), nn.Sequential(model, nn.ReLU())(X)
        assert not ran
        torch.testing.assert_close(found, expected)
        assert is_untouched(model)
        model(X)
    assert ran == [model]


def test_what_was_compiled_here_is_installed_like_what_was_loaded(model: Model) -> None:
    compiled = fc.compile(model, (X,), split_at=everything)
    with compiled.installed(model, strict=True):
        assert torch.equal(model(X), compiled(X))
    ran.clear()
    with (
        compiled.installed(model),
        pytest.warns(FastCompileWarning, match="x, dimension 0, has size 3"),
    ):
        model(torch.ones(3, 4))
    assert ran == [model]


def test_a_call_that_fits_nothing_runs_the_model_and_is_told_once(
    function: Any, model: Model
) -> None:
    wide = torch.ones(70, 4)
    with function.installed(model):
        with pytest.warns(FastCompileWarning) as told:
            out, *_ = model(wide), model(wide), model(wide, own=3.0)
        assert len(ran) == 3
        model(X)
        assert len(ran) == 3
    (warning,) = told
    assert str(warning.message) == (
        "A call of Model runs the model itself, and so do others like it. The call fits none of "
        "the 2 programs:\n"
        "  plain: x float32[rows, 4]\n"
        "  scaled: x float32[rows, 4], own=2.0\n"
        "The nearest is plain: Argument x, dimension 0 (rows), has size 70, and the compiled "
        "function takes [2, 64]."
    )
    assert warning.filename == __file__
    assert out.requires_grad  # it is eager's


def test_strict_refuses_such_a_call_each_time(function: Any, model: Model) -> None:
    with function.installed(model, strict=True):
        for _ in range(2):
            with pytest.raises(errors.InputError, match="fits none of the 2 programs"):
                model(X, own=3.0)
    assert not ran


def test_the_model_is_as_it_was_after_an_error(function: Any, model: Model) -> None:
    before = dict(vars(model))
    with pytest.raises(RuntimeError, match="of this test"), function.installed(model):
        raise RuntimeError("of this test")
    assert vars(model) == before


def test_what_module_compile_set_comes_back_and_takes_what_does_not_fit(
    function: Any, model: Model
) -> None:
    taken = []

    def by_torch_compile(x: torch.Tensor, own: float = 1.0) -> torch.Tensor:
        taken.append(own)
        return x

    model._compiled_call_impl = by_torch_compile
    with function.installed(model):
        model(X)
        assert not taken
        with pytest.warns(FastCompileWarning, match="runs the model itself"):
            model(X, own=3.0)
    assert taken == [3.0]
    assert model._compiled_call_impl is by_torch_compile


def test_the_inner_of_two_runs_and_what_it_does_not_take_goes_to_the_outer(
    function: Any, path: Path, model: Model
) -> None:
    narrow = fc.compile(model, (X,), split_at=everything)
    with function.installed(model, strict=True):
        with narrow.installed(model), warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            model(X)
            model(torch.ones(5, 4))
        assert not ran
        model(torch.ones(6, 4))
    assert not ran
    assert is_untouched(model)


def test_blocks_of_threads_may_end_in_any_order(function: Any, path: Path, model: Model) -> None:
    other = fc.load(path, model)
    is_in, may_leave = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with other.installed(model, strict=True):
            is_in.set()
            may_leave.wait(60)

    thread = threading.Thread(target=elsewhere)
    with function.installed(model, strict=True):
        thread.start()
        assert is_in.wait(60)
        model(X)
    model(X)  # the other block is still there
    assert not ran
    may_leave.set()
    thread.join()
    assert is_untouched(model)
    model(X)
    assert ran == [model]


def test_calls_can_be_recorded_while_something_is_installed(function: Any, model: Model) -> None:
    with function.installed(model, strict=True):
        with fc.record(model) as calls:
            model(X)
            model(torch.ones(3, 4))
        assert len(calls) == 1
    with fc.record(model) as calls, function.installed(model, strict=True):
        model(X)
    assert not ran
    assert is_untouched(model)


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_that_was_not_compiled_runs_with_the_model_itself(
    register: str, function: Any, model: Model
) -> None:
    seen = []
    inner = getattr(model.linear, register)(lambda *_: seen.append("inner"))
    with (
        function.installed(model),
        pytest.warns(FastCompileWarning, match=r"has other hooks than .*linear: .*lambda"),
    ):
        model(X)
    inner.remove()
    with function.installed(model):
        model(X)
        assert (seen, len(ran)) == (["inner"], 1)
        outer = getattr(model, register)(lambda *_: seen.append("outer"))
        with pytest.warns(FastCompileWarning, match="has other hooks"):
            model(X)
        outer.remove()
        model(X)
    assert (seen, len(ran)) == (["inner", "outer"], 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.register_forward_hook(doubled),
        lambda part: part.register_forward_pre_hook(lambda _, args: (args[0] * 2,)),
        lambda part: setattr(part, "forward", lambda x: x * 3),
    ],
    ids=["hook", "pre-hook", "forward"],
)
def test_a_part_that_is_changed_while_it_lasts_runs_with_the_model_itself(
    change: Any, function: Any, model: Model
) -> None:
    with function.installed(model):
        before = model(X)
        change(model.linear)
        with function.installed(model, strict=True):
            change(model.linear)
            with pytest.raises(errors.InputError, match="has other hooks than when it was"):
                model(X)
        with pytest.warns(FastCompileWarning, match="has other hooks than when it was compiled"):
            after = model(X)
    torch.testing.assert_close(after, model(X))
    assert not torch.equal(after, before)


def doubled(_module: nn.Module, _args: Any, result: torch.Tensor) -> torch.Tensor:
    return result * 2


def test_a_hook_that_was_compiled_runs_once(model: Model) -> None:
    model.register_forward_hook(doubled)
    compiled = fc.compile(model, (X,), split_at=everything)
    expected = model(X)
    with compiled.installed(model, strict=True):
        torch.testing.assert_close(model(X), expected.detach())


def test_the_other_mode_runs_the_model_itself(function: Any, model: Model) -> None:
    with function.installed(model):
        model.train()
        with pytest.warns(FastCompileWarning, match="is in training mode, and was in evaluation"):
            assert model(X).requires_grad
        model.eval()
        ran.clear()
        model(X)
    assert not ran


def test_weights_that_fit_no_more_run_with_the_model_itself(function: Any, model: Model) -> None:
    with function.installed(model):
        model.double()
        with pytest.warns(FastCompileWarning, match=r"changed since it was loaded.*linear\.weight"):
            assert model(X.double()).dtype is torch.float64
        model.float()
        ran.clear()
        model(X)
    assert not ran
    with function.installed(model, strict=True):
        model.double()
        with pytest.raises(errors.ParameterError, match=r"linear\.weight"):
            model(X)


def test_another_autocast_runs_the_model_itself(function: Any, model: Model) -> None:
    with (
        function.installed(model),
        torch.autocast("cpu", torch.bfloat16),
        pytest.warns(FastCompileWarning, match="autocast is cpu:bfloat16, and was none"),
    ):
        assert model(X).dtype is torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        compiled = fc.compile(model, (X,), split_at=everything)
        ran.clear()
        with compiled.installed(model, strict=True):
            assert model(X).dtype is torch.bfloat16
    assert not ran
    with compiled.installed(model, strict=True), pytest.raises(errors.InputError, match="is none"):
        model(X)


def test_a_trace_of_the_model_is_one_of_the_model_itself(function: Any, model: Model) -> None:
    with (
        function.installed(model),
        pytest.warns(FastCompileWarning, match=r"under make_fx"),
    ):
        traced = make_fx(model)(X)
    torch.testing.assert_close(traced(X), model(X))


class OwnCall(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


def test_only_the_model_that_it_was_loaded_for_takes_it(
    function: Any, path: Path, model: Model
) -> None:
    with pytest.raises(errors.CallError, match="was loaded for another model than this Model"):
        function.installed(Model().eval()).__enter__()
    with pytest.raises(errors.CallError, match="was loaded for a mapping of tensors"):
        fc.load(path, model.state_dict()).installed(model).__enter__()
    with pytest.raises(errors.CallError, match=r"is no torch\.nn\.Module"):
        function.installed(len).__enter__()
    with pytest.raises(errors.CallError, match="generate is not what a call of a Model runs"):
        fc.compile(model.generate, (X,), split_at=everything).installed(model).__enter__()
    own = OwnCall()
    with pytest.raises(errors.CallError, match=r"leave __call__ to torch\.nn\.Module"):
        fc.compile(own, (X,), split_at=everything).installed(own).__enter__()
    assert is_untouched(model)


def test_it_is_installed_in_a_wrapper_of_its_model(function: Any, model: Model) -> None:
    wrapper = torch.nn.DataParallel(model)
    with function.installed(wrapper, strict=True):
        wrapper(X)
    optimized = torch.compile(model, backend="eager")
    with function.installed(optimized, strict=True):
        optimized(X)
    assert not ran
    assert is_untouched(wrapper)
    assert is_untouched(optimized)
