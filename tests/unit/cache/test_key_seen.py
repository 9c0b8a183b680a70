from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.cache.key.seen import sizes_seen


class Net(nn.Module):
    def forward(self, x: Any, y: Any = None) -> Any:
        return x if y is None else (x, y)


@pytest.mark.parametrize(
    ("sizes", "lines"),
    [
        ([(3, 3), (3, 3)], []),
        (
            [(6, 6), (4, 4), (5, 5), (9, 9), (5, 5)],
            [("seen", "x_length 4 to 6, 9"), ("varied together", "[[0, 1]]")],
        ),
        ([(4, 3), (6, 3)], [("seen", "x_length 4, 6"), ("varied together", "[[0]]")]),
        (
            [(4, 9), (4, 8), (5, 9), (4, 9)],
            [
                ("seen", "(x_length, y_length): (4, 8), (4, 9), (5, 9)"),
                ("varied together", "[[0], [1]]"),
            ],
        ),
    ],
)
def test_the_sizes_that_calls_had_are_said_by_name(sizes: Any, lines: Any) -> None:
    net = Net()
    with fc.record(net) as calls:
        for a, b in sizes:
            net(torch.ones(a), torch.ones(b))
    (kind,) = calls
    assert list(sizes_seen(kind)) == lines
