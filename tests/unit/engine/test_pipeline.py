"""The whole flow: what it does to the collector, and dimensions that are sums of others."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine import pipeline


@pytest.mark.parametrize(
    ("frozen", "freezes"), [(0, True), (375, True), (250_000, False)], ids=["3.11", "3.12", "user"]
)
def test_the_heap_is_frozen_unless_somebody_did_that(
    frozen: int, freezes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fake = SimpleNamespace(
        get_freeze_count=lambda: frozen,
        freeze=lambda: calls.append("freeze"),
        unfreeze=lambda: calls.append("unfreeze"),
    )
    monkeypatch.setattr(pipeline, "gc", fake)
    with pipeline._settled_heap():
        assert calls == (["freeze"] if freezes else [])
    assert calls == (["freeze", "unfreeze"] if freezes else [])


def test_python_itself_freezes_fewer_objects_than_torch_makes() -> None:
    assert len(gc.get_objects()) > pipeline._FROZEN_AT_START


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
