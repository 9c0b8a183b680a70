"""What a call writes into its arguments: tensors in place happen, all else is refused by name."""

from __future__ import annotations

import collections
import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from tests.unit.engine.graphs import assert_captures_right, result_of

X = torch.ones(3, 4)


@dataclasses.dataclass
class Batch:
    x: Tensor
    seen: int = 0


class Steps:
    """A container that its owner registered: what it flattens to is not all that it holds."""

    def __init__(self, *held: Tensor) -> None:
        self.held = list(held)
        self.count = 0
        self._memo: Any = None

    def update(self, x: Tensor) -> None:
        self.held.append(x)


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    torch.utils._pytree.register_pytree_node(
        Steps, lambda s: (list(s.held), None), lambda held, _: Steps(*held),
        serialized_type_name="tests.Steps",
    )  # fmt: skip


CHANGES: dict[str, tuple[Callable[[Any], Any], Any, str]] = {
    "append": (lambda a: a.append(X), [X], r"a\[1\] \(nothing, then"),
    "pop": (lambda a: a.pop("b"), {"a": X, "b": X}, r"a\['b'\] \(a tensor .*, then nothing\)"),
    "new key": (lambda a: a.update(new=X + 1), {"a": X}, r"a\['new'\]"),
    "replaced": (lambda a: a.update(a=a["a"] + 1), {"a": X}, r"a\['a'\]"),
    "replaced in a list": (lambda a: a.__setitem__(0, a[0] * 2), [X], r"a\[0\]"),
    "cleared": (lambda a: a.clear(), {"a": X}, r"a\['a'\]"),
    "reversed": (lambda a: a.reverse(), [X, X + 1], r"a\[0\]"),
    "nested": (lambda a: a["in"].append(X), {"in": [X]}, r"a\['in'\]\[1\]"),
    "attribute": (lambda a: setattr(a, "x", a.x + 1), Batch(X), r"a\.x"),
    "counter": (lambda a: setattr(a, "seen", a.seen + 1), Batch(X), r"a\.seen \(0, then 1\)"),
    "registered": (lambda a: a.update(X), Steps(X), r"a\.held\[1\]"),
    "beside what is flattened": (lambda a: setattr(a, "count", 3), Steps(X), r"a\.count"),
    "ordered": (lambda a: a.popitem(), collections.OrderedDict(a=X, b=X), r"a\['b'\]"),
}


@pytest.mark.parametrize("as_module", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_argument_is_refused_and_left_alone(name: str, as_module: bool) -> None:
    change, argument, words = CHANGES[name]

    class Model(nn.Module):
        def forward(self, x: Tensor, a: Any) -> Tensor:
            change(a)
            return x + 1

    before = repr(argument)
    call: Any = Model().eval() if as_module else Model().forward
    with pytest.raises(errors.CaptureError, match=rf"its argument a holds: {words}"):
        capture(call, (X,), {"a": argument})
    assert repr(argument) == before


def test_what_a_call_does_to_its_own_dict_of_keywords_is_its_own_affair() -> None:
    def call(x: Tensor, **options: Tensor) -> Tensor:
        return x + options.pop("y")

    assert_captures_right(call, X, kwargs={"y": X})


def test_writes_to_tensors_in_arguments_happen() -> None:
    def call(x: Tensor, a: list[Tensor], b: dict[str, Tensor]) -> Tensor:
        a[0] += 1
        b["b"][1:].mul_(3)
        return x + a[0]

    captured = capture(call, (X, [X.clone()], {"b": X.clone()}))
    mine, eager = ([X.clone()], {"b": X.clone()}), ([X.clone()], {"b": X.clone()})
    result_of(captured, call, (X, *mine))
    call(X, *eager)
    assert torch.equal(mine[0][0], eager[0][0])
    assert torch.equal(mine[1]["b"], eager[1]["b"])


def test_a_private_memo_of_a_container_is_no_change() -> None:
    def call(x: Tensor, a: Steps) -> Tensor:
        a._memo = x
        return x + a.held[0]

    assert capture(call, (X, Steps(X))).notes == ()


SPARSE = torch.eye(4).to_sparse()


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("kind", ["buffer", "attribute", "closure", "argument"])
def test_sparse_tensors_are_named_before_anything_is_compiled(kind: str, layout: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # CSR is in beta state
        sparse = torch.eye(4).to_sparse(layout=layout)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if kind == "buffer":
                self.register_buffer("table", sparse)
            elif kind == "attribute":
                self.table = sparse

        def forward(self, x: Tensor) -> Tensor:
            return torch.sparse.mm(self.table, x)

    calls: dict[str, Any] = {
        "closure": lambda x: torch.sparse.mm(sparse, x),
        "argument": lambda x, s: torch.sparse.mm(s, x),
    }
    args = (X.T, sparse) if kind == "argument" else (X.T,)
    with pytest.raises(
        errors.CaptureError, match=r"is sparse, and compiled|uses a sparse tensor of layout CSR"
    ):
        capture(calls.get(kind, Model().eval()), args)


def test_a_sparse_buffer_that_nothing_uses_is_no_obstacle() -> None:
    model = nn.Linear(4, 4).eval()
    model.register_buffer("table", SPARSE)
    assert len(capture(model, (X,)).parameters) >= 2


def test_zeros_at_padded_positions_that_eager_alone_leaves_are_named() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nested tensors are a prototype
        model = nn.TransformerEncoder(layer, 1).eval()
    x, mask = torch.ones(2, 3, 8), torch.zeros(2, 3, dtype=torch.bool)
    with pytest.warns(errors.FastCompileWarning, match="zeros at padded positions"):
        capture(model, (x,), {"src_key_padding_mask": mask})
    assert capture(model, (x,)).notes == ()
    plain = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    assert capture(plain, (x,), {"src_key_padding_mask": mask}).notes == ()
