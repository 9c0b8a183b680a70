from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from torch import nn

from ipy_fastcompile.notebook.intercept import run_noted


class Scale(nn.Module):
    def forward(self, x: Any, by: int = 1) -> Any:
        return x * by


class Recorder:
    """Takes the calls of a cell: their callee, and the example and number of each kind."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, list[Any]]] = []
        self.again: Any = None

    def __call__(self, callee: Any, calls: Any) -> Any:
        self.calls.append((callee, [(kind.args, kind.kwargs, kind.count) for kind in calls]))
        return self.again


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def pipe(shell: InteractiveShell) -> SimpleNamespace:
    pipe = SimpleNamespace(unet=Scale(), blocks=nn.Sequential(Scale(), Scale()))
    pipe.run = lambda x: [pipe.unet(x, by=n) for n in (2, 3)]
    shell.user_ns["pipe"] = pipe
    return pipe


def test_all_calls_of_a_module_are_noted_and_go_on(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder
) -> None:
    value = run_noted(shell, "y = 5\npipe.run(y)", "pipe.unet", recorder)
    assert recorder.calls == [(pipe.unet, [((5,), {"by": 2}, 2)])]
    assert value == [10, 15]
    assert "_compiled_call_impl" not in vars(pipe.unet)


def test_the_cell_may_be_run_once_more_with_the_same_random_numbers(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder
) -> None:
    entered = []

    @contextlib.contextmanager
    def again() -> Iterator[None]:
        entered.append(True)
        yield

    recorder.again = again()
    shell.user_ns.update(torch=torch, runs=[])
    source = "runs.append(float(torch.rand(1)))\npipe.run(5)\nlen(runs)"
    assert run_noted(shell, source, "pipe.unet", recorder) == 2
    first, second = shell.user_ns["runs"]
    assert first == second
    assert entered == [True]
    assert len(recorder.calls) == 1


def test_the_arguments_are_those_of_the_caller(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder
) -> None:
    pipe.unet.register_forward_pre_hook(lambda module, args: (100,))
    run_noted(shell, "pipe.unet(5)", "pipe.unet", recorder)
    assert recorder.calls[0][1] == [((5,), {}, 1)]


@pytest.mark.parametrize("name", ["pipe.blocks[1]", "pipe.blocks.1"])
def test_an_item_of_a_module_list_can_be_named(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder, name: str
) -> None:
    run_noted(shell, "pipe.blocks(5)", name, recorder)
    assert [callee for callee, _ in recorder.calls] == [pipe.blocks[1]]


def test_a_module_that_the_cell_makes_can_be_named(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    shell.user_ns["Scale"] = Scale
    run_noted(shell, "scale = Scale()\nout = scale(3)\nout", "scale", recorder)
    assert recorder.calls == [(shell.user_ns["scale"], [((3,), {}, 1)])]


def test_a_module_that_the_cell_replaces_is_the_new_one(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    old = Scale()
    shell.user_ns.update(Scale=Scale, scale=old)
    run_noted(shell, "scale = Scale()\nscale(3)", "scale", recorder)
    assert recorder.calls[0][0] is shell.user_ns["scale"]
    assert recorder.calls[0][0] is not old
    assert "_compiled_call_impl" not in vars(old)


def test_a_function_of_the_namespace_is_observed_and_put_back(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    def double(x: int) -> int:
        return 2 * x

    shell.user_ns["double"] = double
    assert run_noted(shell, "double(1) + double(2)", "double", recorder) == 6
    assert recorder.calls == [(double, [((2,), {}, 2)])]  # of 1 nothing could be told
    assert shell.user_ns["double"] is double


def test_a_method_is_observed_and_put_back(shell: InteractiveShell, recorder: Recorder) -> None:
    class Encoder(nn.Module):
        def encode(self, x: int) -> int:
            return x + 1

    encoder = Encoder()
    shell.user_ns["encoder"] = encoder
    assert run_noted(shell, "encoder.encode(1)", "encoder.encode", recorder) == 2
    assert recorder.calls == [(encoder.encode, [((1,), {}, 1)])]
    assert "encode" not in vars(encoder)


@pytest.mark.parametrize("source", ["pipe.unet(1 / 0)", "x = 1 / 0"])
def test_nothing_stays_behind_when_the_cell_fails(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder, source: str
) -> None:
    with pytest.raises(ZeroDivisionError):
        run_noted(shell, source, "pipe.unet", recorder)
    assert "_compiled_call_impl" not in vars(pipe.unet)
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pipe.unet", "pipe.unet was not called in the cell."),
        ("pipe.unte", "There is no pipe.unte to compile. Did you mean unet"),
        ("pip.unet", "There is no pip to compile. Did you mean pipe"),
        ("pipe.blocks[7]", "There is no pipe.blocks.7 to compile."),
        ("zzz", "There is no zzz to compile. -m takes the name of a model."),
        ("pipe.number", "pipe.number is of type int and cannot be called."),
        ("torch.nn.Linear", "torch.nn.Linear is a class"),
    ],
)
def test_a_name_that_is_not_called_is_explained(
    shell: InteractiveShell,
    pipe: SimpleNamespace,
    recorder: Recorder,
    name: str,
    said: str,
) -> None:
    pipe.number = 3
    shell.user_ns["torch"] = torch
    with pytest.raises(UsageError) as caught:
        run_noted(shell, "x = 1", name, recorder)
    assert str(caught.value).startswith(said)


def test_what_a_wrapper_holds_is_named_where_that_was_called(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder
) -> None:
    pipe.wrapper = torch.nn.Sequential(pipe.unet)
    with pytest.raises(UsageError) as caught:
        run_noted(shell, "pipe.wrapper[0](5)", "pipe.wrapper", recorder)
    assert str(caught.value).endswith("Say -m pipe.wrapper.0.")
