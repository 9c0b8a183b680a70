"""A call that does not fit raises an error that names the argument, what was expected and found."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import InputError, ParameterError
from ipy_fastcompile.runtime.checks import CHECKS
from tests.tiny import everything


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("scale", torch.ones(4))

    def forward(self, x: torch.Tensor, mask: torch.Tensor, flag: bool = True) -> torch.Tensor:
        return self.linear(x) * self.scale + mask if flag else x


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return Model().eval()


@pytest.fixture(scope="module")
def compiled(model: nn.Module) -> Any:
    dynamic = {"x": {0: ("rows", 2, 8)}, "mask": {0: ("rows", 2, 8)}}
    return fc.compile(
        model, (torch.randn(4, 4), torch.ones(4, 1)), {"flag": True}, dynamic=dynamic,
        split_at=everything,
    )  # fmt: skip


X, MASK = torch.zeros(4, 4), torch.zeros(4, 1)
MISFITS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str, Any, Any, str]] = {
    "dtype": ((X.double(), MASK), {"flag": True}, "x", torch.float32, torch.float64, "dtype"),
    "device": (
        (X.to("meta"), MASK), {"flag": True}, "x", "a plain tensor",
        "is on the meta device and has no values", "Load",
    ),
    "rank": ((X, MASK[0]), {"flag": True}, "mask", 2, "1 (shape (1,))", "rank"),
    "static size": ((torch.zeros(4, 5), MASK), {"flag": True}, "x", 4, 5, "dimension 1"),
    "equal sizes": (
        (X, torch.zeros(5, 1)), {"flag": True}, "mask", "rows = 4", 5, "dimension 0",
    ),
    "below the range": (
        (X[:1], MASK[:1]), {"flag": True}, "x", "[2, 8]", 1, "dimension 0 (rows)",
    ),
    "above the range": (
        (torch.zeros(9, 4), torch.zeros(9, 1)), {"flag": True}, "x", "[2, 8]", 9, "wider range",
    ),
    "no tensor": (([[1.0]], MASK), {"flag": True}, "x", "a tensor", "list", "torch.Tensor"),
    "another constant": ((X, MASK), {"flag": False}, "flag", "True", "False", "fixed at capture"),
    "a constant of another type": ((X, MASK), {"flag": 1}, "flag", "True", "1", "fixed at capture"),
    "layout": (
        (X.to_sparse(), MASK), {"flag": True}, "x", "a plain tensor", "is sparse", "to_dense",
    ),
    "a gradient": (
        (X.clone().requires_grad_(), MASK), {"flag": True}, "x", None, True, "no_grad",
    ),
}  # fmt: skip


@pytest.mark.parametrize("misfit", MISFITS.values(), ids=MISFITS.keys())
def test_a_misfit_is_named_with_expected_and_found(compiled: Any, misfit: Any) -> None:
    args, kwargs, argument, expected, found, words = misfit
    with pytest.raises(InputError) as caught:
        compiled(*args, **kwargs)
    error = caught.value
    assert error.argument == argument
    assert expected is None or error.expected == expected or expected in str(error.expected)
    assert error.found == found
    message = str(error)
    assert message.startswith(f"Argument {argument}")
    assert words in message
    assert str(found) in message


@pytest.mark.parametrize(
    ("args", "kwargs", "argument", "what"),
    [
        ((X,), {"flag": True}, "mask", "is missing"),
        ((X, MASK), {"flag": False}, "flag", "has the value False"),
        ((X, MASK), {"flag": True, "scale": 2}, "scale", "was not part of the call"),
        ((X, MASK), {"flag": True, "x": X}, "x", ""),
    ],
    ids=["missing", "no default", "extra", "twice"],
)
def test_a_missing_or_extra_argument_is_named(
    compiled: Any, args: Any, kwargs: Any, argument: str, what: str
) -> None:
    with pytest.raises(InputError) as caught:
        compiled(*args, **kwargs)
    assert caught.value.argument == argument
    assert what in str(caught.value)


def test_too_many_arguments_are_counted(compiled: Any) -> None:
    with pytest.raises(InputError, match="4 positional arguments"):
        compiled(X, MASK, True, 1)


def test_what_fits_is_computed(compiled: Any, model: nn.Module) -> None:
    for rows in (2, 8):
        x, mask = torch.randn(rows, 4), torch.randn(rows, 1)
        with torch.no_grad():
            assert torch.equal(compiled(x, mask, flag=True), model(x, mask))
            assert torch.equal(compiled(x, mask), model(x, mask))


def test_other_strides_are_copied_into_the_compiled_layout(compiled: Any, model: nn.Module) -> None:
    x, mask = torch.randn(4, 4).t(), torch.randn(1, 4).t()
    with torch.no_grad():
        expected = model(x.contiguous(), mask.contiguous())
        assert torch.equal(compiled(x, mask, flag=True), expected)


# --- parameters ----------------------------------------------------------------------------------

PARAMETERS: dict[str, tuple[str, Any, str, str]] = {
    "dtype": ("linear.weight", torch.ones(4, 4, dtype=torch.float64), "float32[4, 4]", "float64"),
    "shape": ("linear.weight", torch.ones(4, 5), "float32[4, 4]", "float32[4, 5]"),
    "device": ("scale", torch.ones(4, device="meta"), "a plain tensor", "on the meta device"),
    "buffer": ("scale", torch.ones(3), "float32[4]", "float32[3]"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_that_does_not_fit_is_named(
    compiled: Any, model: nn.Module, tmp_path: Any, name: str
) -> None:
    path = tmp_path / "model.fastcompile"
    compiled.save(path)
    parameter, tensor, expected, found = PARAMETERS[name]
    state = {**model.state_dict(), parameter: tensor}
    with pytest.raises(ParameterError) as caught:
        fc.load(path, state)
    assert caught.value.name == parameter
    assert expected in str(caught.value.expected)
    assert found in str(caught.value.found)
    assert parameter in str(caught.value)


def test_a_missing_parameter_is_named_with_the_nearest(
    compiled: Any, model: nn.Module, tmp_path: Any
) -> None:
    path = tmp_path / "model.fastcompile"
    compiled.save(path)
    state = {k.replace("weight", "weigth"): v for k, v in model.state_dict().items()}
    with pytest.raises(ParameterError, match=r"needs 'linear.weight'.*nearest.*'linear.weigth'"):
        fc.load(path, state)
    other = copy.deepcopy(model)
    del other.linear
    with pytest.raises(ParameterError, match=r"linear\.weight"):
        fc.load(path, other)


# --- tensors that the model writes to ------------------------------------------------------------


class Writes(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x.add_(y)
        return x + y


@pytest.fixture(scope="module")
def writes() -> Any:
    return fc.compile(Writes(), (torch.zeros(2, 3), torch.ones(2, 3)), split_at=everything)


def test_inputs_that_share_memory_are_refused_where_one_is_written(writes: Any) -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(InputError, match="Arguments x and y share memory") as caught:
        writes(x, x)
    assert caught.value.argument == "y"
    both = torch.zeros(3, 3)
    with pytest.raises(InputError, match="Pass a clone"):
        writes(both[:2], both[1:])
    apart = torch.ones(2, 2, 3)
    assert torch.equal(writes(apart[0], apart[1]), torch.full((2, 3), 3.0))
    assert torch.equal(apart[0], torch.full((2, 3), 2.0))
    assert torch.equal(writes(torch.zeros(2, 3), torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_a_tensor_that_is_written_is_never_copied(writes: Any) -> None:
    with pytest.raises(InputError, match=r"strides \(1, 2\), .* takes \(3, 1\)"):
        writes(torch.zeros(3, 2).t(), torch.ones(2, 3))
    empty = torch.empty(0, 3)
    CHECKS.separate(("x", "y"), (empty, empty), ("x",))


# --- single checks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, -0.0), (-0.0, 0.0), (1.0, math.nan), (math.nan, 1.0), (1, 1.0), (1, True),
     (0j, -0.0 * 1j), (complex(math.nan, 0), complex(0, 0)), ("a", "b"), (None, 0)],
)  # fmt: skip
def test_constants_that_a_graph_tells_apart(value: Any, expected: Any) -> None:
    with pytest.raises(InputError, match="Argument n has the value"):
        CHECKS.constant("n", value, expected)


@pytest.mark.parametrize(
    "value", [0.0, -0.0, math.nan, math.inf, 1, True, None, "text", complex(0, math.nan), b"x"]
)
def test_a_constant_equals_itself(value: Any) -> None:
    CHECKS.constant("n", value, copy.deepcopy(value))


def test_a_lazy_conjugate_is_copied_where_it_is_only_read() -> None:
    x = torch.tensor([1 + 2j, 3 - 1j], dtype=torch.complex64).conj()
    for lazy in (x, x.imag):
        CHECKS.tensor("x", lazy, lazy.dtype, torch.device("cpu"), 1)
        plain = CHECKS.layout("x", lazy, (1,), mutated=False)
        assert not plain.is_conj()
        assert not plain.is_neg()
        assert torch.equal(plain, lazy)
        with pytest.raises(InputError, match="lazy"):
            CHECKS.layout("x", lazy, (1,), mutated=True)


def test_rows_that_were_one_in_memory_are_not_made_of_others() -> None:
    expanded = torch.arange(8.0).expand(4, 8)
    compiled = fc.compile(lambda x, y: x + y, (torch.ones(4, 8), expanded), split_at=everything)
    x = torch.randn(4, 8)
    torch.testing.assert_close(compiled(x, expanded), x + expanded)
    with pytest.raises(InputError, match=r"y has strides \(8, 1\), .* takes \(0, 1\)"):
        compiled(x, expanded.contiguous())
