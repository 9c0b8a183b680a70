"""Compressed sparse tensors, wherever they come from, are refused by name before a compile."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture

X = torch.ones(2, 4)
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "csr": lambda t: t.to_sparse_csr(),
    "csc": lambda t: t.to_sparse_csc(),
    "bsr": lambda t: t.to_sparse_bsr((1, 2)),
    "bsc": lambda t: t.to_sparse_bsc((1, 2)),
}


class Multiplies(nn.Module):
    def __init__(self, matrix: Tensor, kind: str) -> None:
        super().__init__()
        self.matrix: Any
        if kind == "parameter":
            self.matrix = nn.Parameter(matrix, requires_grad=False)
        elif kind == "buffer":
            self.register_buffer("matrix", matrix)
        else:
            self.matrix = matrix
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.T).T


@pytest.fixture(autouse=True)
def _beta() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse", UserWarning)
        yield


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["parameter", "buffer", "attribute"])
def test_one_that_the_model_holds(layout: str, kind: str) -> None:
    model = Multiplies(LAYOUTS[layout](torch.eye(4)), kind)
    with pytest.raises(errors.CaptureError, match=r"sparse.*compiled kernels read.*\.to_dense"):
        capture(model, (X,))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_that_is_an_argument(layout: str) -> None:
    with pytest.raises(errors.CaptureError, match=r"Argument m is sparse.*\.to_dense"):
        capture(lambda x, m: (m @ x.T).T, (X, LAYOUTS[layout](torch.eye(4))))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("inside", [True, False])
def test_one_that_the_model_makes(layout: str, inside: bool) -> None:
    def makes(x: Tensor) -> Tensor:
        made = LAYOUTS[layout](x)
        return made.to_dense() if inside else made

    with pytest.raises(errors.CaptureError, match=rf"layout sparse_{layout} \(test_sparse\.py:\d+"):
        capture(makes, (X,))
