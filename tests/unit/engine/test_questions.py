"""What a model asks torch about its surroundings is in the report, or checked at each call."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture

X = torch.ones(2, 4)
ASKED: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "torch.is_grad_enabled()": (lambda _: torch.is_grad_enabled(), "False"),
    "torch.is_inference_mode_enabled()": (lambda _: torch.is_inference_mode_enabled(), "False"),
    "torch.is_autocast_enabled()": (lambda _: torch.is_autocast_enabled("cpu"), "False"),
    "torch.compiler.is_compiling()": (lambda _: torch.compiler.is_compiling(), "True"),
    "torch.compiler.is_exporting()": (lambda _: torch.compiler.is_exporting(), "True"),
    "torch.get_num_threads()": (lambda _: torch.get_num_threads() > 1, r"\d+"),
    "requires_grad of a tensor": (lambda x: x.requires_grad, "False"),
    "is_inference() of a tensor": (lambda x: x.is_inference(), "False"),
}


@pytest.mark.parametrize("words", ASKED)
def test_what_a_branch_asks_is_named_with_its_answer_and_its_line(words: str) -> None:
    ask, answer = ASKED[words]

    def model(x: Tensor) -> Tensor:
        return x * 2 if ask(x) else x * 3

    (note,) = capture(model, (X,)).notes
    assert f"{words} is " in note
    assert "test_questions.py:" in note
    assert note.startswith("The model asks for what is constant in the compiled one")
    assert re.search(rf"is {answer} \(", note)


def test_what_a_model_asks_of_its_parameters_is_named() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) * (2 if self.linear.weight.requires_grad else 3)

    (note,) = capture(Frozen().eval(), (X,)).notes
    assert "requires_grad of a tensor is True" in note


def test_another_default_dtype_than_the_model_asked_for_is_refused() -> None:
    def model(x: Tensor) -> Tensor:
        return x * 2 if torch.get_default_dtype() is torch.float32 else x * 3

    compiled = fc.compile(model, (X,))
    assert compiled.report.notes == ()
    torch.testing.assert_close(compiled(X), X * 2)
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(errors.InputError, match=r"default dtype is torch\.float64"):
            compiled(X)
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_a_model_asks_that_dynamo_reads_is_named_as_well() -> None:
    def model(x: Tensor) -> Tensor:
        y = torch.func.grad(lambda x: (x * x).sum())(x)
        return y * 2 if torch.compiler.is_compiling() else y * 3

    captured = capture(model, (X,))
    assert any("torch.compiler.is_compiling() is True" in note for note in captured.notes)
    torch.testing.assert_close(captured.graph_module(X)[0], X * 4)


def test_what_torch_itself_asks_is_no_note_and_its_functions_are_put_back() -> None:
    own = torch.is_grad_enabled, torch.get_default_dtype, torch.compiler.is_compiling
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
    assert not [n for n in capture(layer, (X[None],)).notes if "asks for" in n]
    with pytest.raises(errors.CaptureError):
        capture(lambda x: x.no_such_method(), (X,))
    assert own == (torch.is_grad_enabled, torch.get_default_dtype, torch.compiler.is_compiling)


def test_branches_that_dynamo_reads_may_ask_as_well() -> None:
    def model(x: Tensor) -> Tensor:
        return torch.cond(
            x.sum() > 0, lambda x: x * 2 if torch.is_grad_enabled() else x * 3, torch.neg, (x,)
        )

    (result,) = capture(model, (X,)).graph_module(X)
    torch.testing.assert_close(result, X * 3)
