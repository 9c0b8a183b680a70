"""A size that Inductor would make a number of stays dynamic, or is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import ipy_fastcompile as fc
from ipy_fastcompile.errors import CaptureError


class After(nn.Module):
    """A convolution, and what is made of its result."""

    def __init__(self, then: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.then, self.convolution = then, nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.then(self.convolution(x))


THEN: dict[str, Any] = {
    "adaptive average, 1d": lambda x: functional.adaptive_avg_pool1d(x[..., 0], 4),
    "adaptive average, 2d": lambda x: functional.adaptive_avg_pool2d(x, (3, 4)),
    "resized by area": lambda x: functional.interpolate(x, size=(4, 4), mode="area"),
}


def rows(n: int) -> torch.Tensor:
    return torch.randn(2, 4, n, 12)


@pytest.mark.parametrize("name", THEN)
def test_what_inductor_would_unroll_runs_uncompiled_and_is_right_at_every_size(name: str) -> None:
    model = After(THEN[name]).eval()
    with torch.no_grad():
        with pytest.warns(fc.errors.FastCompileWarning, match="for the size 12 only"):
            compiled = fc.compile(model, (rows(12),), dynamic={"x": {2: ("n", 4, 40)}})
        for n in (4, 7, 12, 13, 40):
            x = rows(n)
            torch.testing.assert_close(compiled(x), model(x))
    assert [kernel.native for kernel in compiled.report.kernels] == [True]
    assert "would compile it for the size 12 only" in compiled.report.submodules[1].reason


def test_a_size_that_inductor_leaves_one_value_is_refused_by_name() -> None:
    model = After(lambda x: functional.adaptive_max_pool2d(x, (4, 4))).eval()
    with torch.no_grad():
        with pytest.raises(CaptureError, match=r"n cannot be dynamic as asked.* size 12 only"):
            fc.compile(model, (rows(12),), dynamic={"x": {2: ("n", 4, 40)}})
        compiled = fc.compile(model, (rows(12),), dynamic="auto")
        x = rows(12)
        torch.testing.assert_close(compiled(x), model(x))
        with pytest.raises(fc.errors.InputError):
            compiled(rows(13))
