"""An argument may hold functions of a module, as a BlockMask does: a call must have the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import ipy_fastcompile as fc
from ipy_fastcompile.cache.key.call import make_key
from ipy_fastcompile.errors import CallError, InputError


def causal(b: Any, h: Any, i: Any, j: Any) -> Any:
    return i >= j


def strictly_causal(b: Any, h: Any, i: Any, j: Any) -> Any:
    return (i > j) | (j == 0)


class Attends(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Any) -> Any:
        return flex_attention(q, k, v, block_mask=mask)


def mask_of(function: Any) -> Any:
    return create_block_mask(function, None, None, 128, 128, device="cpu")


QKV = tuple(torch.randn(1, 2, 128, 16) for _ in range(3))


@pytest.mark.slow
def test_a_block_mask_is_an_argument(tmp_path: Path) -> None:
    compiled = fc.compile(Attends(), (*QKV, mask_of(causal)), check=True)
    assert all(kernel.native for kernel in compiled.report.kernels)
    compiled.save(tmp_path / "attends")
    loaded = fc.load(tmp_path / "attends", Attends())
    q, k, v = (torch.randn_like(t) for t in QKV)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(loaded(q, k, v, mask_of(causal)), expected)
    with pytest.raises(InputError, match=r"mask\.mask_mod.*strictly_causal"):
        loaded(q, k, v, mask_of(strictly_causal))


def test_a_function_that_has_no_name_for_others_is_refused() -> None:
    def local(b: Any, h: Any, i: Any, j: Any) -> Any:
        return i >= j

    with pytest.raises(CallError, match=r"mask\.mask_mod is a function.*local is not defined at"):
        fc.compile(Attends(), (*QKV, mask_of(local)))


def test_a_function_alone_is_no_argument() -> None:
    with pytest.raises(CallError, match=r"Argument f is a function.*functools\.partial"):
        fc.compile(lambda x, f: x, (torch.ones(2), causal))


def test_the_code_of_such_a_function_is_in_the_key_of_the_cache() -> None:
    def key(function: Any) -> Any:
        return make_key(Attends(), (*QKV, mask_of(function))).key

    assert key(causal) == key(causal)
    assert key(causal) != key(strictly_causal)
    before, code = key(causal), causal.__code__
    try:
        causal.__code__ = (lambda b, h, i, j: i >= j + 1).__code__
        assert key(causal) != before
    finally:
        causal.__code__ = code
