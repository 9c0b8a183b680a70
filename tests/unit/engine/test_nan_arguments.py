"""A NaN equals nothing, itself included, and is the same value at every call."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import InputError
from tests.tiny import everything

X = torch.ones(3)


class Returned(nn.Module):
    def forward(self, x: torch.Tensor, value: Any = 1.0) -> Any:
        return x * 2, value


@pytest.mark.parametrize(
    "value",
    [math.nan, (1, math.nan), {"a": math.nan}, [math.nan, 2.0], math.inf, -0.0, 2**70, True],
    ids=repr,
)
def test_it_is_taken_and_returned(value: Any) -> None:
    compiled = fc.compile(Returned(), (X, value), split_at=everything)
    for again in (value, copy.deepcopy(value)):
        result = compiled(X, again)
        assert torch.equal(result[0], X * 2)
        assert repr(result[1]) == repr(value)
    with pytest.raises(InputError, match="value"):
        compiled(X, 1.0 if value != 1.0 else 2.0)


def test_another_value_than_nan_and_nan_for_another_are_refused() -> None:
    of_nan = fc.compile(Returned(), (X, math.nan), split_at=everything)
    with pytest.raises(InputError, match=r"value 1\.0, and the compiled function takes .*nan"):
        of_nan(X, 1.0)
    of_zero = fc.compile(Returned(), (X, 0.0), split_at=everything)
    for other in (math.nan, -0.0, 0, False):
        with pytest.raises(InputError, match=r"the compiled function takes 0\.0"):
            of_zero(X, other)
