"""Models whose sizes must divide, match or be large enough, called at many sizes beside eager.

A call gives eager's numbers or is an InputError, in this process, after a reload and through the
graph; where eager raises, it is always an InputError.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional

import ipy_fastcompile as fc
from ipy_fastcompile.errors import InputError

pytestmark = pytest.mark.slow


class Windows(nn.Module):
    """Sizes that are no multiples of 4 have no windows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, c = x.shape
        return x.view(b, n // 4, 4, c).mean(2)


class AttentionWindows(nn.Module):
    """As Swin's: two sizes in windows, attention in each, and back."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, h, w, c = x.shape
        x = x.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 1, 16, c)
        x = functional.scaled_dot_product_attention(x, x, x)
        return x.view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)


class DownAndUp(nn.Module):
    """As a U-Net: what comes up again is beside what went down, so sizes must be even."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(3, 2, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.up(self.down(x)), x], 1)


class Halved(nn.Module):
    """The second size is half the first."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x.view(2, -1) * y


class Sum(nn.Module):
    """Equal sizes, or one that is broadcast, which the graph of equal sizes is not for."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class Branches(nn.Module):
    """Three graphs: for a long size, for one, and for all others."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] == 1:
            return x - 7
        return x[-5:] * 2 if x.shape[0] >= 5 else x * 3


class Squeezed(nn.Module):
    """Another rank where the size is 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(0) * 2


class Kept(nn.Module):
    """The number of kept elements, which depends on the values, must be a multiple of 3."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0].view(-1, 3).sum(1)


class KeptAndAdded(nn.Module):
    """The number of kept elements must be the size of another argument."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x[x.nonzero()[:, 0]] + y


def image(h: int, w: int) -> tuple[torch.Tensor, ...]:
    return (torch.randn(1, 2, h, w),)


def with_gaps(n: int) -> tuple[torch.Tensor, ...]:
    return (torch.ones(n) * (torch.arange(n) % 5 != 0),)


@dataclass(frozen=True)
class Case:
    model: nn.Module
    call: Callable[..., tuple[torch.Tensor, ...]]
    example: tuple[int, ...]
    dynamic: Any
    admitted: int  # calls that must not be refused, at least
    words: str  # in one of the refusals


def rows(n: int) -> tuple[torch.Tensor, ...]:
    return (torch.randn(n, 3),)


def two(n: int, m: int) -> tuple[torch.Tensor, ...]:
    return torch.randn(n), torch.randn(m)


CASES = {
    "windows, named": Case(
        Windows(),
        lambda n: (torch.randn(2, n, 3),),
        (16,),
        {"x": {1: "n"}},
        2,
        "(n), has size 10, which is not a multiple of 4 (test_sizes_beside_eager.py:",
    ),
    "windows, ranged": Case(
        Windows(), lambda n: (torch.randn(2, n, 3),), (8,), {"x": {1: ("n", 4, 12)}}, 2, "[4, 12]"
    ),
    "windows of attention, left to torch": Case(
        AttentionWindows(),
        lambda h, w: (torch.randn(1, h, w, 4),),
        (8, 12),
        {"x": {1: Dim.AUTO, 2: Dim.DYNAMIC}},
        4,
        "which is not a multiple of 4",
    ),
    "down and up": Case(
        DownAndUp(), image, (8, 12), {"x": {2: "h", 3: "w"}}, 16, "which is not a multiple of 2"
    ),
    "half": Case(Halved(), two, (8, 4), {"x": {0: "n"}, "y": {0: "m"}}, 4, "and m is not n // 2"),
    "broadcast": Case(
        Sum(), two, (6, 6), {"x": {0: Dim.AUTO}, "y": {0: Dim.AUTO}}, 10, "Argument y, dimension 0"
    ),
    "branches": Case(
        Branches(),
        rows,
        (9,),
        {"x": {0: "n"}},
        7,
        "(n), has size 4, which is less than 5 (test_sizes_beside_eager.py:",
    ),
    "squeezed": Case(Squeezed(), rows, (4,), {"x": {0: ("n", 1, 11)}}, 9, "[2, 11]"),
    "kept": Case(Kept(), with_gaps, (8,), {"x": {0: "n"}}, 3, "must be a multiple of 3"),
    "kept and added": Case(
        KeptAndAdded(),
        lambda n, m: (torch.ones(n), torch.randn(m)),
        (5, 5),
        {"x": {0: "n"}, "y": {0: "m"}},
        8,
        "aten::nonzero gives another size",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_size_gives_the_numbers_of_eager_or_is_refused(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = case.model.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        compiled = fc.compile(model, case.call(*case.example), dynamic=case.dynamic)
    path = tmp_path / "sizes.fastcompile"
    compiled.save(path)
    functions = [compiled, fc.load(path, model), fc.load(path, model, via="fx")]
    admitted, refusals = 0, []
    for sizes in itertools.product(range(13), repeat=len(case.example)):
        call = case.call(*sizes)
        with torch.no_grad():
            try:
                expected = model(*call)
            except (RuntimeError, IndexError):
                expected = None
        for function in functions:
            try:
                found = function(*call)
            except InputError as error:
                refusals.append(str(error))
                continue
            assert expected is not None, f"{sizes}: eager refuses, {function} does not"
            assert found.shape == expected.shape, sizes
            torch.testing.assert_close(found, expected, equal_nan=True)
            admitted += 1
    assert admitted >= case.admitted * len(functions)
    assert any(case.words in refusal for refusal in refusals), sorted(set(refusals))
