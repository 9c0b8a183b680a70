"""The whole flow: dimensions that are sums of others, and calls from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from tests.tiny import everything


class Windows(nn.Module):
    """Means of windows of four, after ``skipped`` rows."""

    def __init__(self, skipped: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.skipped = nn.Linear(4, 4), skipped

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, c = x.shape
        return self.layer(x[:, self.skipped :]).view(b, n // 4, 4, c).mean(2)


@pytest.mark.parametrize("skipped", [0, 1])
def test_a_dimension_derived_from_another_is_native_and_right(skipped: int) -> None:
    model = Windows(skipped).eval()
    rows = 4 * torch.export.Dim("k", min=1, max=16)
    rows = rows + skipped if skipped else rows
    with torch.no_grad():
        compiled = fc.compile(model, (torch.randn(2, 16 + skipped, 4),), dynamic={"x": {1: rows}})
        assert compiled.report.alarms == ()
        assert [kernel.native for kernel in compiled.report.kernels] == [True]
        for n in (8, 16, 40):
            x = torch.randn(2, n + skipped, 4)
            torch.testing.assert_close(compiled(x), model(x))


def test_threads_compile_one_after_the_other() -> None:
    x = torch.randn(2, 8)
    models = [nn.Linear(8, width).eval() for width in range(2, 10)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda m: fc.compile(m, (x,), split_at=everything), models))
    for model, compiled in zip(models, found, strict=True):
        torch.testing.assert_close(compiled(x), model(x).detach())
