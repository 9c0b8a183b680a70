"""Tensors that are plain attributes, weights that hooks make, and what autograd knows of writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import ipy_fastcompile as fc
from ipy_fastcompile.errors import ParameterError


class Scaled(nn.Module):
    """Parameters, and tensors that are no parameters: one here, one below, one in a list."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)
        self.inner = nn.Module()
        self.inner.shift = torch.linspace(0, 1, 4)
        self.scale = torch.linspace(1, 2, 8)[::2]
        self.listed = [torch.ones(4)]
        self.register_buffer("count", torch.zeros(4))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        self.count.add_(1)
        y.add_(x)
        return self.linear(x) * self.scale + self.inner.shift + self.listed[0] + self.count


def inputs() -> tuple[Tensor, Tensor]:
    return torch.linspace(-1, 1, 12).reshape(3, 4), torch.zeros(3, 4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attributes") / "scaled.fastcompile"
    fc.compile(Scaled().eval(), inputs()).save(path)
    return path


def difference(function: Callable[..., Tensor], model: nn.Module) -> float:
    with torch.no_grad():
        count = model.count.clone()
        expected = model(*inputs())
        model.count.copy_(count)
        return float((function(*inputs()) - expected).abs().max())


def _in_place(model: Any) -> None:
    model.scale.mul_(3)
    model.inner.shift.add_(1)


def _replaced(model: Any) -> None:
    model.scale = torch.linspace(2, 7, 8)[::2]


def _replaced_below(model: Any) -> None:
    model.inner = nn.Module()
    model.inner.shift = torch.full((4,), 5.0)


def _other_memory(model: Any) -> None:
    model.inner.shift.data = torch.full((4,), 7.0)


@pytest.mark.parametrize("via", ["native", "torch", "fx"])
@pytest.mark.parametrize("change", [_in_place, _replaced, _replaced_below, _other_memory])
def test_a_tensor_that_is_an_attribute_is_the_models(saved: Path, via: str, change: Any) -> None:
    before, after = Scaled().eval(), Scaled().eval()
    change(before)
    assert difference(fc.load(saved, before, via=via), before) < 1e-6
    function = fc.load(saved, after, via=via)
    assert difference(function, after) < 1e-6
    change(after)
    assert difference(function, after) < 1e-6


def test_an_attribute_that_the_model_lacks_is_as_it_was_compiled(saved: Path) -> None:
    model = Scaled().eval()
    model.scale = None  # type: ignore[assignment]
    assert difference(fc.load(saved, model), Scaled().eval()) < 1e-6


def test_an_attribute_that_does_not_fit_is_named(saved: Path) -> None:
    model = Scaled().eval()
    function = fc.load(saved, model)
    model.scale = torch.ones(5)
    for refused in (lambda: function(*inputs()), lambda: fc.load(saved, model)):
        with pytest.raises(ParameterError, match=r"attribute scale is float32\[5\]"):
            refused()


def _pruned(model: Any) -> None:
    prune.l1_unstructured(model.linear, "weight", 0.5)


def _norm_of_hooks(model: Any) -> None:
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(model.linear)


@pytest.mark.parametrize("change", [_pruned, _norm_of_hooks])
def test_a_weight_that_hooks_make_is_refused(saved: Path, change: Any) -> None:
    model = Scaled().eval()
    function = fc.load(saved, model)
    change(model)
    for refused in (lambda: function(*inputs()), lambda: fc.load(saved, model)):
        with pytest.raises(ParameterError, match=r"linear\.weight is made anew by hooks"):
            refused()


def test_a_weight_that_was_made_permanent_is_taken(saved: Path) -> None:
    model = Scaled().eval()
    function = fc.load(saved, model)
    _pruned(model)
    prune.remove(model.linear, "weight")
    assert difference(function, model) < 1e-6


def test_a_parametrized_weight_is_made_at_every_call(saved: Path) -> None:
    model: Any = Scaled().eval()
    nn.utils.parametrizations.weight_norm(model.linear)
    function = fc.load(saved, model)
    with torch.no_grad():
        model.linear.parametrizations.weight.original0.mul_(2)
    assert difference(function, model) < 1e-6


@pytest.mark.parametrize("via", ["native", "torch", "fx"])
def test_a_backward_that_kept_what_a_call_writes_to_raises(saved: Path, via: str) -> None:
    model = Scaled().eval()
    function = fc.load(saved, model, via=via)
    start = torch.ones(3, 4, requires_grad=True)
    for kept in (lambda: start * 1, lambda: model.count):
        tensor = kept()
        loss = (tensor * start).sum()
        with torch.no_grad():
            function(inputs()[0], tensor if tensor.dim() == 2 else inputs()[1])
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


class Holding(nn.Module):
    """Views that no module registers: half of them attributes, half in a list."""

    def __init__(self) -> None:
        super().__init__()
        base = torch.linspace(-1, 1, 24).view(6, 4)
        self.every_other = base[::2]
        self.transposed = base.view(4, 6)[:, :3].t()
        self.expanded = base[:1].expand(3, 4)
        self.real_parts = torch.view_as_complex(base.view(3, 4, 2)).real
        self.listed = [base[1:4], base.view(24).chunk(2)[1].view(3, 4)]
        self.listed += [base[:, :1].expand(6, 4)[:3], base.view(24).unfold(0, 4, 1)[:3]]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        attributes = [self.every_other, self.transposed, self.expanded, self.real_parts]
        return tuple(x * each.cos() for each in [*attributes, *self.listed])


def test_views_that_are_no_buffers_are_captured(tmp_path: Path) -> None:
    model, x = Holding(), torch.linspace(0, 1, 12).reshape(3, 4)
    fc.compile(model, (x,)).save(tmp_path / "holding.fastcompile")
    for via in ("native", "torch", "fx"):
        function = fc.load(tmp_path / "holding.fastcompile", model, via=via)
        torch.testing.assert_close(function(x), model(x))
