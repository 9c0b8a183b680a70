"""Ops that Inductor leaves to PyTorch, or writes sizes of data for: native, and right anywhere.

All are compiled here, saved, and loaded once more in a process that has no compiler and no cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ipy_fastcompile as fc
from ipy_fastcompile.errors import CaptureError, InputError

Op = Callable[..., Any]
IDS = torch.tensor([0, 2, 1, 2])
SYMMETRIC = torch.tensor([[4.0, 1, 0, 1], [1, 5, 1, 0], [0, 1, 6, 1], [1, 0, 1, 7]])

# Each takes x[4, 6], IDS, SYMMETRIC and an image[1, 3, 8, 8].
GROUPS: dict[str, dict[str, Op]] = {
    "of data": {
        "mask": lambda x, i, s, m: x[x[:, 0] > 0] * 2,
        "nonzero": lambda x, i, s, m: torch.nonzero(x > 0).float().sum(),
        "argwhere": lambda x, i, s, m: torch.argwhere(x > 0),
        "unique": lambda x, i, s, m: torch.unique(i) * 2,
        "repeat_interleave": lambda x, i, s, m: torch.repeat_interleave(x, i, dim=0) * 2,
        "masked_select": lambda x, i, s, m: torch.masked_select(x, x > 0).sum(),
        "bincount": lambda x, i, s, m: torch.bincount(i) * 2,
        "split by data": lambda x, i, s, m: torch.split(x, i[1::2].tolist())[1] * 2,
        "zeros of item": lambda x, i, s, m: torch.zeros(i[1].item(), 6) + x[:1],
        "arange of item": lambda x, i, s, m: torch.arange(i[1].item()).float() * 2,
        "item": lambda x, i, s, m: x * s[0, 0].item(),
    },
    "linear algebra": {
        "solve": lambda x, i, s, m: torch.linalg.solve(s, x) + 1,
        "cholesky": lambda x, i, s, m: torch.linalg.cholesky(s) + 1,
        "svd": lambda x, i, s, m: torch.linalg.svdvals(x) + 1,
        "eigh": lambda x, i, s, m: torch.linalg.eigh(s)[0] + 1,
        "inv": lambda x, i, s, m: torch.linalg.inv(s) + 1,
        "det": lambda x, i, s, m: torch.linalg.det(s) + 1,
        "qr": lambda x, i, s, m: torch.linalg.qr(s)[1].abs() + 1,
        "lu": lambda x, i, s, m: torch.linalg.lu_factor(s)[0] + 1,
        "pinv": lambda x, i, s, m: torch.linalg.pinv(x) + 1,
        "matrix_exp": lambda x, i, s, m: torch.matrix_exp(s / 9) + 1,
        "triangular": lambda x, i, s, m: torch.linalg.solve_triangular(s.tril(), x, upper=False),
        "baddbmm": lambda x, i, s, m: torch.baddbmm(s[None], x[None], x.T[None]),
        "addmv": lambda x, i, s, m: torch.addmv(x[:, 0], s, x[:, 1]) + s.mv(x[:, 2]),
        "cdist": lambda x, i, s, m: torch.cdist(x, x[:2]) + 1,
        "int_mm": lambda x, i, s, m: torch._int_mm(*[torch.ones(32, 32, dtype=torch.int8)] * 2),
    },
    "of rows": {
        "sort": lambda x, i, s, m: x.sort(1)[1] * 2,
        "topk": lambda x, i, s, m: x.topk(2)[0] + 1,
        "cumsum": lambda x, i, s, m: x.cumsum(1),
        "cumprod": lambda x, i, s, m: x.cumprod(1),
        "logcumsumexp": lambda x, i, s, m: x.logcumsumexp(1),
        "kthvalue": lambda x, i, s, m: x.kthvalue(2)[0] + 1,
        "median": lambda x, i, s, m: x.median(1)[0] + 1,
        "mode": lambda x, i, s, m: x.mode(1)[0] + 1,
        "quantile": lambda x, i, s, m: x.quantile(0.3, 1) + 1,
        "histc": lambda x, i, s, m: x.histc(5, -2, 2) + 1,
        "bucketize": lambda x, i, s, m: torch.bucketize(x, s[0].sort()[0]),
        "scatter": lambda x, i, s, m: x.scatter_reduce(0, i[:, None].expand(4, 6), x, "amax"),
        "index_add": lambda x, i, s, m: torch.zeros(4, 6).index_add(0, i, x) + 1,
        "index_put": lambda x, i, s, m: torch.zeros(4, 6).index_put((i,), x, accumulate=True) + 1,
        "fft": lambda x, i, s, m: torch.fft.irfft(torch.fft.rfft(x) * 2),
        "complex": lambda x, i, s, m: torch.view_as_real(torch.complex(s, s) @ torch.complex(x, x)),
        "embedding_bag": lambda x, i, s, m: F.embedding_bag(i, x, i[:2] // 2),
        "segment_reduce": lambda x, i, s, m: torch.segment_reduce(x, "sum", lengths=i[1::2] + 0),
        "multinomial": lambda x, i, s, m: torch.multinomial(torch.eye(4), 1) + 1,
    },
    "of images": {
        "grid_sample": lambda x, i, s, m: F.grid_sample(m, x.view(1, 3, 4, 2), align_corners=False),
        "bicubic": lambda x, i, s, m: F.interpolate(m, scale_factor=1.5, mode="bicubic"),
        "smaller": lambda x, i, s, m: F.interpolate(m, 5, mode="bilinear", antialias=True),
        "unfold": lambda x, i, s, m: F.fold(F.unfold(m, 3), (8, 8), 3) + 1,
        "max_pool": lambda x, i, s, m: F.max_pool2d(m, 3, return_indices=True)[1],
        "adaptive": lambda x, i, s, m: F.adaptive_max_pool2d(m, 3) + 1,
        "transposed": lambda x, i, s, m: F.conv_transpose2d(m, x[:3, :4].reshape(3, 1, 2, 2)),
        "grouped": lambda x, i, s, m: F.conv2d(m, x[:3, :4].reshape(3, 1, 2, 2), groups=3),
    },
}  # fmt: skip


class Group(nn.Module):
    """The results of some ops, and of a recurrent layer: a model of everything."""

    def __init__(self, ops: dict[str, Op], *, recurrent: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.ops = ops
        self.layers = nn.ModuleList([nn.LSTM(6, 4), nn.GRU(6, 4)] if recurrent else [])

    def forward(self, x: Any, ids: Any, symmetric: Any, image: Any) -> tuple[Any, ...]:
        found = [op(x, ids, symmetric, image) for op in self.ops.values()]
        return (*found, *(layer(x)[0] for layer in self.layers))


def make_model(name: str) -> nn.Module:
    return Group(GROUPS[name], recurrent=name == "of rows").eval()


def make_call(seed: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 6, generator=generator)
    return x, IDS, SYMMETRIC, torch.randn(1, 3, 8, 8, generator=generator)


def misfits(name: str, found: Any, expected: Any) -> list[str]:
    names = [*GROUPS[name], "lstm", "gru"]
    wrong = []
    for op, one, other in zip(names, found, expected, strict=False):
        try:
            torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-2)
        except AssertionError as error:
            wrong.append(f"{op}: {str(error)[:200]}")
    return wrong


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ops")
    found = {}
    with torch.no_grad():
        for number, name in enumerate(GROUPS):
            compiled = fc.compile(make_model(name), make_call())
            compiled.save(folder / str(number))
            found[name] = compiled, folder / str(number)
    return found


@pytest.mark.parametrize("name", GROUPS)
def test_every_op_is_native_and_right(saved: dict[str, Any], name: str) -> None:
    compiled, _ = saved[name]
    assert compiled.report.alarms == ()
    assert [k.why for k in compiled.report.kernels if not k.native] == []
    with torch.no_grad():
        for seed in (2, 3):
            call = make_call(seed)
            assert misfits(name, compiled(*call), make_model(name)(*call)) == []


CHILD = """
import json, sys, torch
import ipy_fastcompile as fc
from tests.unit.engine.test_ops import make_call, make_model, misfits
wrong = []
with torch.no_grad():
    for name, path in json.loads(sys.argv[1]).items():
        model, call = make_model(name), make_call(4)
        loaded = fc.load(path, model)
        assert not {"torch._inductor", "torch._dynamo"} & set(sys.modules)
        assert set(loaded.kernel_ways) == {"native"}, loaded.kernel_ways
        wrong += misfits(name, loaded(*call), model(*call))
print(json.dumps(wrong))
"""


def test_all_load_and_are_right_where_there_is_no_compiler(
    saved: dict[str, Any], tmp_path: Path
) -> None:
    env = {k: v for k, v in os.environ.items() if k not in ("CXX", "CC")}
    env |= {"PATH": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    paths = json.dumps({name: str(path) for name, (_, path) in saved.items()})
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, paths],
        env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr[-2000:]
    assert json.loads(child.stdout.splitlines()[-1]) == []


def test_a_size_of_data_that_the_model_does_not_take_is_an_input_error(
    saved: dict[str, Any],
) -> None:
    compiled, _ = saved["of data"]
    x, _, *rest = make_call()
    with torch.no_grad(), pytest.raises(InputError, match=r"condition|size"):
        compiled(x, torch.tensor([0, 3, 1, 2]), *rest)  # rows to split that x does not have


@pytest.mark.parametrize(
    ("op", "named"),
    [
        (lambda x: torch.linalg.lstsq(x, x)[0], "aten.linalg_lstsq"),
        (lambda x: F.ctc_loss(x[:, None], IDS[None, 1:2], (4,), (1,)), "aten._ctc_loss"),
    ],
)
def test_an_op_that_cannot_be_captured_is_named(op: Any, named: str) -> None:
    with torch.no_grad(), pytest.raises(CaptureError, match=named):
        fc.compile(op, (torch.randn(4, 6),))
