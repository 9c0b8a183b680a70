"""What the user says by the names of dimensions holds, also where torch.export gives up on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.export import Dim

import ipy_fastcompile as fc
from ipy_fastcompile.errors import InputError

K = Dim("k")


class Pairs(torch.nn.Module):
    """A view that torch.export's solver cannot prove for a named size (2.13), beside another."""

    def __init__(self, skipped: int = 0) -> None:
        super().__init__()
        self.skipped = skipped

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = x[self.skipped :]
        return x.view(x.shape[0] // 4, 4, -1).sum(1), y * 2


def rows(*sizes: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(n, 3) for n in sizes)


CASES: dict[str, tuple[Any, ...]] = {
    "one name": (Pairs(), {"x": {0: "n"}, "y": {0: "n"}}, (8, 8), (12, 12), (12, 8), "n = 12"),
    "a multiple": (Pairs(), {"x": {0: 2 * K}, "y": {0: K}}, (16, 8), (24, 12), (24, 8), "k = 12"),
    "one more": (
        Pairs(1),
        {"x": {0: 2 * K + 1}, "y": {0: K}},
        (17, 8),
        (25, 12),
        (25, 8),
        "k = 12",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_sizes_that_are_said_to_be_related_are(name: str, tmp_path: Path) -> None:
    model, dynamic, example, right, wrong, words = CASES[name]
    compiled = fc.compile(model, rows(*example), dynamic=dynamic)
    compiled.save(tmp_path / "a")
    for function in (compiled, fc.load(tmp_path / "a", model)):
        call = rows(*right)
        torch.testing.assert_close(function(*call), model(*call))
        with pytest.raises(InputError) as caught:
            function(*rows(*wrong))
        assert words in caught.value.what


def test_a_multiple_of_a_name_is_refused_by_what_the_name_is() -> None:
    def windows(x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0] // 8, 8, -1).sum(1)

    compiled = fc.compile(windows, rows(16), dynamic={"x": {0: 4 * K}})
    assert [c.words for c in compiled.report.conditions] == ["k is a multiple of 2"]
    with pytest.raises(InputError, match=r"has size 20, and k is not a multiple of 2"):
        compiled(*rows(20))
