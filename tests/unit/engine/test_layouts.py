"""An argument whose layout the model reads is as the example was, or refused with the line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture

X = torch.arange(16.0).reshape(4, 4)
TURNED = X.t()
GAPS = torch.arange(32.0).reshape(4, 8)[:, :4]
BEHIND = torch.arange(20.0)[4:].reshape(4, 4)
IMAGE = torch.rand(2, 3, 4, 4)
LAST = IMAGE.to(memory_format=torch.channels_last)


def asks_contiguous(x: Tensor) -> Tensor:
    return x * 2 if x.is_contiguous() else x * 3


def asks_stride(x: Tensor) -> Tensor:
    return x * x.stride(0)


def asks_of_a_view(x: Tensor) -> Tensor:
    return x * x.t()[1:].stride()[0]


def asks_of_a_result(x: Tensor) -> Tensor:
    y = x * 2
    return y + 1 if y.is_contiguous() else y - 1


def asks_of_a_copy(x: Tensor) -> Tensor:
    return x * (2 if x.permute(1, 0).clone().is_contiguous() else 3)


def asks_of_an_empty_one(x: Tensor) -> Tensor:
    return x * torch.empty_like(x).stride(0)


def asks_order(x: Tensor) -> Tensor:
    return x * (2 if x.dim_order() == (0, 1) else 3)


def takes_a_window(x: Tensor) -> Tensor:
    return x.as_strided((2, 2), (4, 1))


def takes_a_window_by_name(x: Tensor) -> Tensor:
    return torch.as_strided(input=x, size=(2, 2), stride=(4, 1))


def asks_format(x: Tensor) -> Tensor:
    return x * 2 if x.is_contiguous(memory_format=torch.channels_last) else x * 3


READS: list[tuple[Callable[[Tensor], Tensor], Tensor, Tensor]] = [
    (asks_contiguous, X, TURNED),
    (asks_contiguous, TURNED, X),
    (asks_contiguous, X, GAPS),
    (asks_stride, X, TURNED),
    (asks_of_a_view, X, GAPS),
    (asks_of_a_result, X, TURNED),
    (asks_of_a_copy, X, TURNED),
    (asks_of_an_empty_one, TURNED, X),
    (asks_order, X, TURNED),
    (takes_a_window, X, TURNED),
    (takes_a_window, TURNED, X),
    (takes_a_window_by_name, X, GAPS),
    (asks_format, LAST, IMAGE),
    (asks_format, IMAGE, LAST),
]


@pytest.mark.parametrize(("model", "example", "other"), READS)
def test_what_is_laid_out_as_the_example_is_right_and_what_is_not_is_refused(
    model: Callable[[Tensor], Tensor], example: Tensor, other: Tensor
) -> None:
    compiled = fc.compile(model, (example,))
    for x in (example, torch.empty_like(example).copy_(example + 1)):
        torch.testing.assert_close(compiled(x), model(x))
    with pytest.raises(
        errors.InputError, match=rf"Argument x .*test_layouts.py:\d+ in {model.__name__}"
    ):
        compiled(other)
    assert compiled.report.notes[0].startswith("The model reads how argument x lies in memory")


class Reads(nn.Module):
    """A model that asks of what a linear layer gives, which is laid out in one way."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.eval()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        hidden = self.linear(x)
        if not hidden.is_contiguous():
            hidden = hidden * 100
        return hidden + x + (y if y.is_contiguous() else -y)


def test_only_those_arguments_count_on_which_the_answer_depends() -> None:
    model = Reads()
    compiled = fc.compile(model, (X, X + 1))
    with torch.no_grad():
        torch.testing.assert_close(compiled(TURNED, X), model(TURNED, X))
    with pytest.raises(errors.InputError, match="Argument y has strides"):
        compiled(X, TURNED)


def test_strides_of_a_size_of_one_matter_to_who_reads_them() -> None:
    row, odd = torch.rand(1, 4), torch.rand(4, 1).t()
    compiled = fc.compile(asks_contiguous, (row,))
    torch.testing.assert_close(compiled(odd), asks_contiguous(odd))
    with pytest.raises(errors.InputError, match="strides"):
        fc.compile(asks_stride, (row,))(odd)


def test_strides_follow_the_sizes_that_vary() -> None:
    compiled = fc.compile(asks_stride, (X,), dynamic={"x": {1: "n"}})
    other = torch.rand(4, 6)
    torch.testing.assert_close(compiled(other), asks_stride(other))
    with pytest.raises(errors.InputError, match="strides"):
        compiled(torch.rand(6, 4).t())


def test_an_example_with_gaps_whose_size_varies_is_refused() -> None:
    with pytest.raises(errors.CaptureError, match=r"part of a larger tensor.* clone"):
        capture(asks_contiguous, (GAPS,), dynamic={"x": {0: "n"}})


def differentiates(x: Tensor) -> Tensor:
    return torch.func.grad(lambda x: (x * x).sum())(x) * x.stride(0)


def test_what_dynamo_reads_is_refused_as_well() -> None:
    compiled = fc.compile(differentiates, (X,))
    assert any("by way of Dynamo" in note for note in compiled.report.notes)
    torch.testing.assert_close(compiled(X + 1), differentiates(X + 1))
    with pytest.raises(errors.InputError, match="Argument x has strides"):
        compiled(TURNED)


def asks_offset(x: Tensor) -> Tensor:
    return x + x.storage_offset()


def takes_a_window_at(x: Tensor) -> Tensor:
    return x.as_strided((2, 2), (4, 1), 1)


@pytest.mark.parametrize("model", [asks_offset, takes_a_window_at])
def test_where_an_argument_begins_in_its_memory_is_checked_where_it_is_read(model: Any) -> None:
    compiled = fc.compile(model, (X,))
    torch.testing.assert_close(compiled(X + 1), model(X + 1))
    with pytest.raises(errors.InputError, match="begins 4 elements into its memory"):
        compiled(BEHIND)
    with pytest.raises(errors.CaptureError, match=r"argument x"):
        capture(model, (BEHIND,))


def test_a_window_of_an_example_that_begins_elsewhere_is_right_for_all() -> None:
    compiled = fc.compile(takes_a_window, (BEHIND,))
    for x in (BEHIND, X):
        torch.testing.assert_close(compiled(x), takes_a_window(x))


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x[:2].as_strided((4, 4), (4, 1)) * 1,
        lambda x: x + x.untyped_storage().nbytes(),
        lambda x: x + 1 if x.data_ptr() % 64 else x - 1,
    ],
)
def test_what_reads_memory_beside_an_argument_is_refused(model: Any) -> None:
    with pytest.raises(
        errors.CaptureError, match=r"memory (outside of argument|under argument|of a tensor)"
    ):
        capture(model, (X,))
