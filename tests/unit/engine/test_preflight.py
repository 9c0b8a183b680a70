"""Models that no compiled function can be made of are refused before minutes are spent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.errors import CallError, CaptureError

X = torch.linspace(-1, 1, 8).reshape(2, 4)


class InSlot(nn.Module):
    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held

    def forward(self, x: Any) -> Any:
        return x * (self.held[0] if isinstance(self.held, list) else self.held)


@pytest.mark.parametrize("held", [torch.ones(4), [torch.ones(4)]], ids=["tensor", "list"])
def test_a_tensor_in_a_slot_of_a_module_is_refused(held: Any) -> None:
    with pytest.raises(
        CaptureError, match=r"Its part 0, a InSlot, keeps a tensor in its slot held"
    ):
        capture(nn.Sequential(InSlot(held)), (X,))
    assert capture(nn.Sequential(InSlot(2.0)), (X,)).inputs


class InPrivateSlot(nn.Module):
    __slots__ = ("__held",)

    def __init__(self) -> None:
        super().__init__()
        self.__held = torch.ones(4)

    def forward(self, x: Any) -> Any:
        return x * self.__held


def test_a_private_slot_is_a_slot_too() -> None:
    with pytest.raises(CaptureError, match="in its slot _InPrivateSlot__held"):
        capture(InPrivateSlot(), (X,))


class Product(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any, y: Any) -> Any:
        return self.function(x, y)


@pytest.mark.parametrize(
    ("function", "x", "y"),
    [
        (torch.matmul, X, X.T.half()),
        (nn.functional.linear, X.bfloat16(), X),
        (torch.addmm, X[:, :2], None),
        (nn.functional.conv1d, X[None], torch.ones(3, 2, 1, dtype=torch.float64)),
    ],
    ids=["matmul", "linear", "addmm", "conv1d"],
)
def test_a_product_of_two_dtypes_is_refused_as_in_eager(function: Any, x: Any, y: Any) -> None:
    def call(a: Any, b: Any) -> Any:
        return torch.addmm(a, X, b) if function is torch.addmm else function(a, b)

    args = (x, X.T.double()[:, :2] if y is None else y)
    with pytest.raises(RuntimeError):
        call(*args)
    with pytest.raises(CaptureError, match=r"multiplies .*test_preflight\.py:\d+.* eager refuses"):
        capture(Product(call), args)


def test_products_under_autocast_are_taken() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            with torch.autocast("cpu", torch.bfloat16):
                return self.linear(x)

    assert capture(Net().eval(), (X,)).inputs


class Node:
    def __init__(self, x: Any) -> None:
        self.x = x
        self.me = self


def test_an_object_that_holds_itself_is_told() -> None:
    with pytest.raises(CallError, match=r"Argument n\.me is .* \(it holds itself\)"):
        capture(Taking(), (Node(X),))
    with pytest.raises(CaptureError, match=r"The result\.me is .* \(it holds itself\)"):
        capture(Giving(), (X,))


class Spoils(nn.Module):
    def forward(self, n: Any) -> Any:
        n.x = abs
        return n.y + 1


def test_an_object_that_the_call_makes_undescribable_is_refused_by_its_place() -> None:
    pair = Node(X)
    pair.me, pair.y = None, X  # type: ignore[attr-defined]
    with pytest.raises(CaptureError, match=r"changes what its argument n holds: n\.x \(a tensor"):
        capture(Spoils(), (pair,))


class Taking(nn.Module):
    def forward(self, n: Any) -> Any:
        return n.x + 1


class Giving(nn.Module):
    def forward(self, x: Any) -> Any:
        return Node(x + 1)
