"""Tensors of a model that share memory, one of them written to: captured as one, or refused."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import CaptureError, ParameterError
from tests.tiny import everything


class Two(nn.Module):
    a: Tensor
    b: Tensor

    def __init__(self, a: Tensor, b: Tensor) -> None:
        super().__init__()
        self.register_buffer("a", a)
        self.register_buffer("b", b)

    def forward(self, x: Tensor) -> Tensor:
        self.a.add_(1)
        return x + self.b.sum() + self.a.sum()


def pair(kind: str) -> tuple[Tensor, Tensor]:
    whole = torch.arange(8.0)
    return {
        "the same": (whole, whole[:]),
        "another shape": (whole, whole.view(2, 4)),
        "a part": (whole, whole[2:6]),
        "part of the other": (whole[2:6], whole),
        "overlapping": (whole[:5], whole[3:]),
        "strided": (whole, whole[::2]),
    }[kind]


@pytest.mark.parametrize("kind", ["the same", "another shape", "a part", "part of the other"])
def test_buffers_on_one_memory_are_one_in_the_graph(kind: str, tmp_path: Path) -> None:
    x = torch.ones(3)
    compiled = fc.compile(Two(*pair(kind)).eval(), (x,), split_at=everything)
    compiled.save(tmp_path / "two.fastcompile")
    eager, ours = Two(*pair(kind)).eval(), Two(*pair(kind)).eval()
    function = fc.load(tmp_path / "two.fastcompile", ours)
    for _ in range(2):
        assert torch.equal(function(x), eager(x))
        assert torch.equal(ours.a, eager.a)
        assert torch.equal(ours.b, eager.b)
    with pytest.raises(ParameterError, match="one memory when the model was compiled"):
        fc.load(tmp_path / "two.fastcompile", copy.deepcopy(Two(*map(torch.clone, pair(kind)))))


@pytest.mark.parametrize("kind", ["overlapping", "strided"])
def test_memory_that_no_view_describes_is_refused_by_both_names(kind: str) -> None:
    with pytest.raises(CaptureError, match="a and b share memory, and the model writes to a"):
        fc.compile(Two(*pair(kind)).eval(), (torch.ones(3),), split_at=everything)


class Adds(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x.add_(1)
        return x + y


def test_example_inputs_that_share_what_is_written_are_refused() -> None:
    x = torch.ones(3)
    with pytest.raises(CaptureError, match="argument x and argument y share memory"):
        fc.compile(Adds(), (x, x), split_at=everything)
    with pytest.raises(CaptureError, match="one place in memory"):
        fc.compile(Adds(), (torch.ones(1).expand(3), x), split_at=everything)


class Viewing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.part = self.weight.detach()[:2]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.part


def test_an_attribute_that_is_memory_of_a_parameter_is_refused() -> None:
    with pytest.raises(CaptureError, match="part is memory of the parameter weight"):
        fc.compile(Viewing(), (torch.ones(2),), split_at=everything)


class Halves(nn.Module):
    def forward(self, ids: Tensor) -> Tensor:
        return ids / 2 + torch.ops.aten.ones.default([3])


def test_a_default_dtype_that_ops_take_theirs_from_is_asked_at_the_call() -> None:
    compiled = fc.compile(Halves(), (torch.arange(3),), split_at=everything)
    expected = Halves()(torch.arange(3))
    assert torch.equal(compiled(torch.arange(3)), expected)
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(fc.errors.InputError, match=r"default dtype is torch\.float64"):
            compiled(torch.arange(3))
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(compiled(torch.arange(3)), expected)


class Differs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), 5.0))

    def forward(self, x: Tensor, y: Tensor, z: list[Tensor]) -> Tensor:
        return x - 2 * y + 4 * z[0] + self.weight


def test_one_tensor_given_twice_in_the_example_is_two_inputs() -> None:
    model = Differs().eval()
    x = torch.ones(3)
    for example in ((x, x, [x]), (model.weight.detach(), x, [x]), (model.weight.data, x, [x])):
        compiled = fc.compile(model, example, split_at=everything)
        for call in ((x, x * 0, [x * 3]), (x, x, [x]), (x * 2, x, [x * 0])):
            with torch.no_grad():
                assert torch.equal(compiled(*call), model(*call))


def test_a_weight_in_the_example_is_an_input_as_others() -> None:
    model = Differs().eval()
    x = torch.ones(3)
    with torch.no_grad():
        compiled = fc.compile(model, (model.weight, x, [x]), split_at=everything)
        for call in ((x, x * 0, [x * 3]), (model.weight, x, [x])):
            assert torch.equal(compiled(*call), model(*call))
