"""A size that a model writes into text is fixed to the number of the example, and says where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import CaptureError, InputError
from tests.tiny import everything

X = torch.arange(15.0).view(3, 5)
TABLE = {f"width_{width}": float(width) for width in (5, 7)}


class Written(nn.Module):
    def __init__(self, compute: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, x: torch.Tensor) -> Any:
        return self.compute(x)


MODELS = {
    "formatted": lambda x: (x, f"{x.size(1)} tokens"),
    "str": lambda x: x + len(str(x.size(1))),
    "repr of a shape": lambda x: (x, repr(x.shape)),
    "percent": lambda x: (x, "%s of %d" % (x.size(1), x.size(0))),  # noqa: UP031 - one more way
    "with a width": lambda x: (x, f"{x.size(1):>4}"),
    "a key": lambda x: {f"width_{x.size(1)}": x},
    "a table": lambda x: x * TABLE[f"width_{x.size(1)}"],
}


@pytest.mark.parametrize("name", MODELS)
def test_a_size_that_is_written_is_fixed_with_its_line(name: str) -> None:
    model = Written(MODELS[name]).eval()
    with pytest.raises(CaptureError, match=r"\(t\) cannot be .* to 5 at test_written_sizes.py"):
        fc.compile(model, (X,), dynamic={"x": {1: "t"}})
    compiled = fc.compile(model, (X,), dynamic="auto", split_at=everything)
    (fixed,) = [one for one in compiled.report.fixed if one.dim == 1]
    assert fixed.size == 5
    assert fixed.source is not None
    assert fixed.source.text.startswith(f'"{name}": lambda')
    assert str(compiled(X)) == str(model(X))
    with pytest.raises(InputError, match="dimension 1, has size 7"):
        compiled(torch.ones(3, 7))


def test_what_follows_from_a_size_and_is_written_is_a_condition() -> None:
    model = Written(lambda x: (x * 2, f"{x.size(1) / 2}")).eval()
    compiled = fc.compile(model, (X,), dynamic={"x": {1: "t"}}, split_at=everything)
    assert compiled(X)[1] == "2.5"
    for other in (3, 4, 6, 7):
        with pytest.raises(InputError, match=rf"dimension 1 \(t\), has size {other}"):
            compiled(torch.ones(3, other))


def test_what_is_only_written_when_something_is_wrong_fixes_nothing() -> None:
    def checked(x: torch.Tensor) -> torch.Tensor:
        assert x.size(1) > 1, f"too narrow: {x.shape}"
        if x.dim() != 2:
            raise ValueError(f"{x.size(1)} in another rank")
        return x * x.size(1)

    model = Written(checked).eval()
    compiled = fc.compile(model, (X,), dynamic={"x": {1: "t"}}, split_at=everything)
    wide = torch.ones(3, 7)
    torch.testing.assert_close(compiled(wide), model(wide))


def test_sizes_are_written_as_before_afterwards() -> None:
    before = [vars(kind).get(name) for kind in (torch.SymInt, torch.SymFloat, torch.SymBool)
              for name in ("__repr__", "__str__", "__format__")]  # fmt: skip
    with pytest.raises(CaptureError):
        fc.compile(Written(MODELS["str"]).eval(), (X,), dynamic={"x": {1: "t"}})
    after = [vars(kind).get(name) for kind in (torch.SymInt, torch.SymFloat, torch.SymBool)
             for name in ("__repr__", "__str__", "__format__")]  # fmt: skip
    assert after == before


LOOKED_UP = {
    "a set": lambda x: x * (2.0 if x.size(1) in {5, 9} else 3.0),
    "a dict": lambda x: x * {5: 2.0, 7: 3.0}.get(x.size(1), 4.0),
    "a hash": lambda x: x * (hash(x.size(1)) % 3),
}


@pytest.mark.parametrize("name", LOOKED_UP)
def test_a_size_that_is_looked_up_by_its_hash_is_fixed(name: str) -> None:
    model = Written(LOOKED_UP[name]).eval()
    with pytest.raises(CaptureError, match=r"\(t\) cannot be dynamic as asked.* to 5"):
        fc.compile(model, (X,), dynamic={"x": {1: "t"}})
    compiled = fc.compile(model, (X,), dynamic="auto", split_at=everything)
    assert torch.equal(compiled(X), model(X))
    with pytest.raises(InputError, match="dimension 1, has size 7"):
        compiled(torch.ones(3, 7))


COMPUTED = {
    "divmod": lambda x: x * divmod(x.size(1), 3)[0] + divmod(17, x.size(1))[1],
    "inverted": lambda x: x * ~x.size(1),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_a_size_takes_the_operators_of_a_number(name: str) -> None:
    model = Written(COMPUTED[name]).eval()
    compiled = fc.compile(model, (X,), dynamic={"x": {1: ("t", 2, 40)}}, split_at=everything)
    for size in (5, 2, 7, 33):
        x = torch.randn(3, size)
        torch.testing.assert_close(compiled(x), model(x))
    assert not hasattr(torch.SymInt, "__divmod__")


def test_what_torch_cannot_do_with_a_size_is_no_error_of_the_model() -> None:
    model = Written(lambda x: x * x.size(1).to_bytes(2, "big")[1]).eval()
    with pytest.raises(CaptureError, match="does with a dynamic size what torch cannot follow"):
        fc.compile(model, (X,), dynamic={"x": {1: "t"}})
