from __future__ import annotations

from typing import Any

import pytest
import torch

from ipy_fastcompile.verification.tolerance import compare

nan, inf = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("expected", "found", "within"),
    [
        (torch.tensor([1.0]), torch.tensor([1.00005]), True),
        (torch.tensor([1.0]), torch.tensor([1.001]), False),
        (torch.tensor([1e3, 1.0]), torch.tensor([1e3, 1.01]), True),
        (torch.tensor([1e-3]), torch.tensor([1.01e-3]), False),
        (torch.tensor([0.0]), torch.tensor([1e-8]), True),
        (torch.tensor([nan, inf]), torch.tensor([nan, inf]), True),
        (torch.tensor([nan]), torch.tensor([1.0]), False),
        (torch.tensor([inf]), torch.tensor([-inf]), False),
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64), False),
        (torch.tensor([1.0]), torch.tensor([[1.0]]), False),
        (torch.tensor([1.0], dtype=torch.float64), torch.tensor([1 + 1e-6], dtype=torch.float64),
         False),
        (torch.tensor([1.0], dtype=torch.bfloat16), torch.tensor([1.02], dtype=torch.bfloat16),
         True),
        (torch.tensor([1]), torch.tensor([1]), True),
        (torch.tensor([1]), torch.tensor([2]), False),
        (torch.tensor([True]), torch.tensor([False]), False),
        (torch.tensor([1 + 1j]), torch.tensor([1 + 1.00001j]), True),
        (torch.tensor([1 + 1j]), torch.tensor([1 + 2j]), False),
        (torch.empty(0), torch.empty(0), True),
        (3, 3, True),
        (3, 4, False),
        (3, 3.0, False),
    ],
    ids=str,
)  # fmt: skip
def test_what_counts_as_equal(expected: Any, found: Any, within: bool) -> None:
    assert compare(expected, found)[1] is within
