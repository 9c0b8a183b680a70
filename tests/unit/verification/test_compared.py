"""A compiled model that is not what eager computes is named, first of all; rounding is not."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.cache.cached import compile_cached
from ipy_fastcompile.show.text import render_text
from ipy_fastcompile.torch_compat import inductor
from ipy_fastcompile.verification.check import cloned
from ipy_fastcompile.verification.compared import compare_with_eager
from ipy_fastcompile.verification.tolerance import WHOLE, bounds_for, compare
from tests.unit.show.sample import sample_report

X = torch.linspace(-1, 1, 48).reshape(2, 3, 8)


class Attends(nn.Module):
    """Three submodules: a linear layer, attention, and ``last``."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(8, 8)
        self.last = last
        self.calls = 0
        self.register_buffer("seen", torch.zeros(()))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add_(1)
        x = self.linear(x)
        return self.last(F.scaled_dot_product_attention(x, x, x))


@pytest.fixture(scope="module")
def right() -> Any:
    return fc.compile(Attends(F.relu), (X,), check=True)


def test_a_right_model_has_an_error_and_the_tolerance_that_was_used(right: Any) -> None:
    assert right.report.difference == ""
    assert right.report.max_error < 1e-5
    assert right.report.tolerance == "0.001 of the largest value, as for float32"
    assert "tolerance against eager: 0.001 of the largest value" in render_text(right.report)


def test_the_comparison_leaves_model_and_function_as_they_were(right: Any) -> None:
    model = right._model
    torch.manual_seed(5)
    state = torch.get_rng_state()
    before = float(model.seen)
    compare_with_eager(right, model, (X,))
    assert float(model.seen) == before
    assert torch.equal(torch.get_rng_state(), state)


class Modal(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 100 if torch.compiler.is_compiling() else x


def test_a_difference_is_raised_and_its_words_say_by_how_much_and_where() -> None:
    with pytest.raises(errors.DiffersFromEager) as caught:
        fc.compile(Modal().eval(), (X,), check=True)
    message = str(caught.value)
    assert "differs from eager by 1e+02 in output 0, float32[2, 3, 8]" in message
    assert "0.001 of the largest value, as for float32" in message
    assert "the capture holds something else than eager runs" in message
    assert caught.value.error == pytest.approx(100)


def test_a_difference_is_not_cached_and_is_the_first_line(store: Any) -> None:
    for _ in range(2):  # not even the second time
        with pytest.warns(errors.FastCompileWarning, match="not cached: .*differs from eager"):
            result = compile_cached(Modal().eval(), (X,), store=store)
        assert not result.hit
        assert render_text(result.model.report).startswith("The compiled model differs from eager")


def test_the_first_submodule_that_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = inductor.compile_submodule
    relu, negative = torch.ops.aten.relu.default, torch.ops.aten.neg.default

    def wrong(graph: torch.fx.GraphModule, *args: Any, **kwargs: Any) -> bytes:
        graph = copy.deepcopy(graph)
        for node in graph.graph.nodes:
            node.target = negative if node.target is relu else node.target
        graph.recompile()
        return real(graph, *args, **kwargs)

    monkeypatch.setattr(inductor, "compile_submodule", wrong)
    with pytest.raises(errors.DiffersFromEager, match="something else is submod_2"):
        fc.compile(Attends(F.relu), (X,), check=True)


def test_random_numbers_are_compared_submodule_by_submodule() -> None:
    model = Attends(lambda x: x + torch.randn_like(x))
    compiled = fc.compile(model, (X,), check=True)
    assert compiled.report.difference == ""
    (said,) = [note for note in compiled.report.notes if note.startswith("Random numbers")]
    assert "2 of 3 submodules draw none" in said or "those of eager" in said
    torch.manual_seed(1)
    first, second = compiled(X), compiled(X)
    torch.manual_seed(1)
    assert torch.equal(compiled(X), first)
    assert not torch.equal(first, second)


def test_a_fast_path_that_eager_takes_is_named() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    padding = torch.tensor([[False, False, True], [False, True, True]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nested tensors are a prototype
        model = nn.TransformerEncoder(layer, 1).eval()
        with pytest.raises(errors.DiffersFromEager, match="enable_nested_tensor=False"):
            fc.compile(model, (X,), {"src_key_padding_mask": padding}, check=True)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    compiled = fc.compile(model, (X,), {"src_key_padding_mask": padding}, check=True)
    assert compiled.report.max_error < 1e-5


def test_bounds_follow_the_least_precise_dtype() -> None:
    assert [bounds_for([b.dtype, "int64", "float64"]) for b in WHOLE] == list(WHOLE)
    assert bounds_for(["complex64"]).dtype == "float32"
    assert bounds_for(["int64"]).dtype == "float64"
    torch.set_float32_matmul_precision("medium")
    try:
        assert bounds_for(["float32"]).dtype == "bfloat16"
    finally:
        torch.set_float32_matmul_precision("highest")
    bounds = bounds_for(["float32", "bfloat16"])
    assert compare(torch.tensor([1.0]), torch.tensor([1.05]), bounds=bounds)[1]
    assert not compare(torch.tensor([1.0]), torch.tensor([1.2]), bounds=bounds)[1]


@pytest.mark.parametrize(
    ("dtype", "scale"), [(torch.bfloat16, 1.0), (torch.float16, 1.0), (torch.float64, 1e6)]
)
def test_long_sums_in_few_bits_are_rounding(dtype: torch.dtype, scale: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 4)).to(dtype).eval()
    x = scale * torch.randn(3, 256).to(dtype)
    report = fc.compile(model, (x,), check=True).report
    assert report.difference == ""
    assert str(dtype)[6:] in report.tolerance


def test_save_refuses_a_difference_unless_asked(tmp_path: Path) -> None:
    from dataclasses import replace

    from IPython.core.error import UsageError

    from ipy_fastcompile.notebook.arguments import Options
    from ipy_fastcompile.notebook.saving import check_right

    wrong = replace(sample_report(1), difference="The compiled model differs from eager by 1.")
    with pytest.raises(UsageError, match=r"differs from eager by 1\. Nothing was saved"):
        check_right(wrong, Options(save=tmp_path / "a"))
    check_right(wrong, Options(save=tmp_path / "a", keep_anyway=True))
    check_right(sample_report(1), Options(save=tmp_path / "a"))


def test_results_in_types_that_are_local_to_a_function_are_compared() -> None:
    @dataclasses.dataclass
    class Result:
        y: Tensor

    compiled = fc.compile(lambda x: Result(x + 1), (X,), check=True)
    assert compiled.report.max_error == 0
    with pytest.raises(errors.DiffersFromEager, match="differs from eager by 1e"):
        fc.compile(lambda x: Result(Modal()(x)), (X,), check=True)


class CountsInEager(nn.Module):
    """Keeps a count that no capture sees."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return x + 0
        self.calls += 1
        return x + (self.calls - 1)


def test_a_second_call_that_differs_is_raised_as_such() -> None:
    with pytest.raises(
        errors.DiffersFromEager, match=r"in a second call, output 0, float32"
    ) as caught:
        fc.compile(CountsInEager(), (X,), check=True)
    assert "reads what an earlier one left behind" in str(caught.value)


@pytest.mark.parametrize(
    "tensor",
    [
        X[:, 1:],
        X[:, :, ::2],
        X.transpose(0, 2),
        X[0, :, :1].expand(3, 5),
        X.to(torch.complex64)[..., ::2].conj(),
        X[:0, :, ::2],
        X[0, 0, 3],
    ],
)
def test_copies_of_arguments_have_their_layout_and_memory_of_their_own(tensor: Tensor) -> None:
    (copied,) = cloned((tensor,))
    assert torch.equal(copied, tensor)
    assert copied.shape == tensor.shape
    assert copied.stride() == tensor.stride() or tensor.is_conj()
    assert not tensor.numel() or copied.data_ptr() != tensor.data_ptr()


def test_a_sliced_argument_is_compared() -> None:
    call = (X[:, 1:, ::2],)
    assert fc.compile(nn.ReLU().eval(), call, check=True).report.difference == ""


class Decays(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.calls = 0
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        with torch.no_grad():
            self.linear.weight.mul_(0.5)
        return self.linear(x)


def test_a_parameter_that_a_call_writes_to_is_put_back() -> None:
    model = Decays()
    weight = model.linear.weight.detach().clone()
    with pytest.warns(errors.FastCompileWarning, match="3 calls in a row are eager's even so"):
        compiled = fc.compile(model, (X,), check=True)
    assert compiled.report.difference == ""
    assert torch.equal(model.linear.weight, weight)
    compiled(X)
    assert torch.equal(model.linear.weight, weight / 2)
