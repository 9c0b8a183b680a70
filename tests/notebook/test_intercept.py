from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from torch import nn

from ipy_fastcompile.notebook.intercept import run_first_call
from tests.notebook.test_cell import Recorder


class Scale(nn.Module):
    def forward(self, x: Any, by: int = 1) -> Any:
        return x * by


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def pipe(shell: InteractiveShell) -> SimpleNamespace:
    pipe = SimpleNamespace(unet=Scale(), blocks=nn.Sequential(Scale(), Scale()))
    pipe.run = lambda x: [pipe.unet(x, by=n) for n in (2, 3)]
    shell.user_ns["pipe"] = pipe
    return pipe


def test_the_first_call_of_a_module_is_observed_and_goes_on(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder
) -> None:
    value = run_first_call(shell, "y = 5\npipe.run(y)", "pipe.unet", recorder)
    assert recorder.calls == [(pipe.unet, (5,), {"by": 2})]
    assert value == [10, 15]
    assert not pipe.unet._forward_pre_hooks


def test_the_arguments_are_those_of_the_caller(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder
) -> None:
    pipe.unet.register_forward_pre_hook(lambda module, args: (100,))
    run_first_call(shell, "pipe.unet(5)", "pipe.unet", recorder)
    assert recorder.calls[0][1] == (5,)


@pytest.mark.parametrize("name", ["pipe.blocks[1]", "pipe.blocks.1"])
def test_an_item_of_a_module_list_can_be_named(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder, name: str
) -> None:
    run_first_call(shell, "pipe.blocks(5)", name, recorder)
    assert [call[0] for call in recorder.calls] == [pipe.blocks[1]]


def test_a_module_that_the_cell_makes_can_be_named(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    shell.user_ns["Scale"] = Scale
    run_first_call(shell, "scale = Scale()\nout = scale(3)\nout", "scale", recorder)
    assert recorder.calls == [(shell.user_ns["scale"], (3,), {})]


def test_a_module_that_the_cell_replaces_is_the_new_one(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    old = Scale()
    shell.user_ns.update(Scale=Scale, scale=old)
    run_first_call(shell, "scale = Scale()\nscale(3)", "scale", recorder)
    assert recorder.calls[0][0] is shell.user_ns["scale"]
    assert recorder.calls[0][0] is not old
    assert not old._forward_pre_hooks


def test_a_function_of_the_namespace_is_observed_and_put_back(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    def double(x: int) -> int:
        return 2 * x

    shell.user_ns["double"] = double
    assert run_first_call(shell, "double(1) + double(2)", "double", recorder) == 6
    assert recorder.calls == [(double, (1,), {})]
    assert shell.user_ns["double"] is double


def test_a_method_is_observed_and_put_back(shell: InteractiveShell, recorder: Recorder) -> None:
    class Encoder(nn.Module):
        def encode(self, x: int) -> int:
            return x + 1

    encoder = Encoder()
    shell.user_ns["encoder"] = encoder
    assert run_first_call(shell, "encoder.encode(1)", "encoder.encode", recorder) == 2
    assert recorder.calls == [(encoder.encode, (1,), {})]
    assert "encode" not in vars(encoder)


@pytest.mark.parametrize("source", ["pipe.unet(1 / 0)", "x = 1 / 0"])
def test_nothing_stays_behind_when_the_cell_fails(
    shell: InteractiveShell, pipe: SimpleNamespace, recorder: Recorder, source: str
) -> None:
    with pytest.raises(ZeroDivisionError):
        run_first_call(shell, source, "pipe.unet", recorder)
    assert not pipe.unet._forward_pre_hooks
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
        run_first_call(shell, "x = 1", name, recorder)
    assert str(caught.value).startswith(said)
