"""What is installed in a model is not what a new compile of it is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.cache.cached import compile_cached
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.verification.compared import compared
from tests.tiny import everything

X = torch.ones(2, 4)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Window(nn.Module):
    """Does another thing once there is more than fits its window."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1) if x.shape[1] < 8 else x[:, -8:].sum(1) * self.factor


def test_eager_is_the_model_itself_while_another_function_is_installed() -> None:
    model = Line().eval()
    first = fc.compile(model, (X,), split_at=everything)
    with first.installed(model, strict=True):  # which takes no call of 3 rows
        second = fc.compile(model, (torch.ones(3, 4),), split_at=everything, check=True)
        assert second.report.difference == ""
        with pytest.raises(errors.InputError, match="has size 3"):
            model(torch.ones(3, 4))


def test_a_recorder_does_not_see_what_a_compile_calls() -> None:
    model = Line().eval()
    with fc.record(model) as calls:
        fc.compile(model, (X,), split_at=everything, check=True)
    assert len(calls) == 0


@pytest.mark.slow
def test_every_program_is_compared_anew_on_a_cache_hit(tmp_path: Path) -> None:
    model = Window().eval()
    with fc.record(model) as calls:
        for length in (3, 12, 5, 9):
            model(torch.randn(2, length))
    store = Store(tmp_path)
    compile_cached(model, calls=calls, store=store)
    hit = compile_cached(model, calls=calls, store=store)
    assert hit.hit, hit.why_miss
    report = compared(hit.model, model, calls=calls)
    assert [program.name for program in report.programs] == ["call_0", "call_0.2"]
    assert report.difference == ""
    model.forward = lambda x: x.sum(1) if x.shape[1] < 8 else x.sum(1) * 7  # type: ignore[method-assign]
    report = compared(hit.model, model, calls=calls)
    assert [bool(program.difference) for program in report.programs] == [False, True]
