"""A splitting op that checks its inputs: what it says of made-up ones is nobody's affair."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipy_fastcompile as fc

REFUSALS: dict[str, Any] = {
    "assertion": AssertionError("not all zeros"),
    "key": KeyError("zeros"),
    "arithmetic": ZeroDivisionError("zeros"),
    "own": type("OwnError", (Exception,), {})("zeros"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_op_that_refuses_zeros_is_laid_out_as_predicted(name: str) -> None:
    op = f"tests_layout::{name}"

    @torch.library.custom_op(op, mutates_args=())
    def checked(x: Tensor) -> Tensor:
        if not x.any():
            raise REFUSALS[name]
        return (2 * x).T.contiguous().T

    @checked.register_fake
    def _(x: Tensor) -> Tensor:
        return torch.empty_like(x)

    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(checked(x + 1)) + 1

    x = torch.arange(12.0).reshape(3, 4)
    compiled = fc.compile(Model().eval(), (x,), split_at=op)
    torch.testing.assert_close(compiled(x), Model()(x))
