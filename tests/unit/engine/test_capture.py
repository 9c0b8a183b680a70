"""Capturing: what is refused, in which words; names, sizes and trees of what is not."""

from __future__ import annotations

import collections
from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:  # the line that the error names
            return x + 1
        return x - 1


class Drops(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.drop(x))


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.register_buffer("offset", torch.zeros(4))
        self.register_buffer("table", torch.arange(4.0), persistent=False)

    def forward(self, x: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        y = x * self.weight + self.offset + self.table
        return y if mask is None else y * mask

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


def test_a_data_dependent_branch_names_the_line() -> None:
    with pytest.raises(errors.CaptureError) as caught:
        capture(Branches(), (torch.ones(3),))
    message = str(caught.value)
    assert "branches on the values in a tensor" in message
    assert "if x.sum() > 0" in message
    assert "test_capture.py" in message
    assert "torch.where" in message


def test_an_error_of_the_model_names_its_line() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(7, 7)

    with pytest.raises(errors.CaptureError, match=r"x\.reshape\(7, 7\)"):
        capture(Broken(), (torch.ones(3),))


def test_training_mode_says_what_would_be_frozen() -> None:
    with pytest.raises(errors.CaptureError) as caught:
        capture(Drops(), (torch.ones(2, 4),))
    message = str(caught.value)
    assert "drop (dropout 0.5)" in message
    assert "norm (batch statistics)" in message
    assert "model.eval()" in message
    assert capture(Drops().eval(), (torch.ones(2, 4),)).model_name == "Drops"


def test_training_mode_without_such_layers_is_fine() -> None:
    assert capture(Scale().train(), (torch.ones(4),)).model_name == "Scale"


@pytest.mark.parametrize("thing", [3, "model", Scale, None, [Scale()]])
def test_what_is_no_module_or_function_is_refused(thing: Any) -> None:
    with pytest.raises(errors.CallError, match="neither a module nor a function"):
        capture(thing, (torch.ones(4),))


def test_several_devices_are_named() -> None:
    with pytest.raises(errors.CaptureError, match=r"weight on cpu.*argument 0 on meta"):
        capture(Scale(), (torch.ones(4, device="meta"),))


def test_inputs_that_want_a_gradient_are_refused() -> None:
    x = torch.ones(4, requires_grad=True)
    with pytest.raises(errors.CaptureError, match="inference"):
        capture(Scale(), (x,))
    with torch.no_grad():
        assert capture(Scale(), (x,)).inputs[0].path == "x"


def test_a_call_that_does_not_fit_names_the_argument() -> None:
    with pytest.raises(errors.CallError, match="unexpected keyword argument 'masc'"):
        capture(Scale(), (torch.ones(4),), {"masc": torch.ones(4)})


class Box:
    def __init__(self, x: Any) -> None:
        self.x = x


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x


class Boxes(nn.Module):
    def __init__(self, kind: type) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor) -> Any:
        return self.kind(x + 1)


def test_a_container_that_cannot_be_taken_apart_is_explained() -> None:
    with pytest.raises(errors.CaptureError, match="Slotted, which no compiled call can return"):
        capture(Boxes(Slotted), (torch.ones(3),))
    result = capture(Boxes(Box), (torch.ones(3),)).result
    assert (result.kind, result.names) == ("object", ("x",))


def test_parameters_and_buffers_are_found_by_name() -> None:
    captured = capture(Scale(), (torch.ones(4),), {"mask": torch.ones(4)})
    assert {(p.name, p.kind, p.persistent) for p in captured.parameters} == {
        ("weight", "parameter", True),
        ("offset", "buffer", True),
        ("table", "buffer", False),
    }
    assert [i.path for i in captured.inputs] == ["x", "mask"]
    assert "table" in captured.constants
    assert "offset" not in captured.constants


def test_a_bound_method_is_captured_with_its_owners_names() -> None:
    model = Scale()
    captured = capture(model.encode, (torch.ones(2, 4),))
    assert captured.model_name == "encode"
    assert "weight" in {p.name for p in captured.parameters}


def test_a_function_is_captured() -> None:
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    captured = capture(double, (torch.ones(3),))
    assert captured.model_name == "double"
    assert captured.parameters == ()


def test_leaves_of_nested_arguments_have_paths() -> None:
    Pair = collections.namedtuple("Pair", "left right")

    class Nested(nn.Module):
        def forward(self, batch: dict[str, Any], pair: Any, flag: bool = True) -> torch.Tensor:
            return batch["a"] + batch["b"][0] + pair.left * pair.right

    one = torch.ones(3)
    captured = capture(Nested(), ({"a": one, "b": [one * 2]}, Pair(one, one * 3)), {"flag": False})
    assert [i.path for i in captured.inputs] == [
        "batch['a']",
        "batch['b'][0]",
        "pair.left",
        "pair.right",
        "flag",
    ]
    assert [i.constant for i in captured.inputs] == [False] * 4 + [True]


# --- dynamic dimensions --------------------------------------------------------------------------


class Adds(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def test_equal_names_are_equal_sizes() -> None:
    captured = capture(
        Adds(),
        (torch.ones(6, 3), torch.ones(6, 3)),
        dynamic={"x": {0: ("rows", 2, 64)}, "y": {0: ("rows", 2, 64)}},
    )
    (symbol,) = captured.symbols
    assert (symbol.name, symbol.min, symbol.max, symbol.example) == ("rows", 2, 64, 6)


class AnyKeywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, **options: Any) -> Any:
        y = self.linear(x)
        if "bias" in options:
            y = y + options["bias"]
        return (y,) if options.get("as_tuple") else y


@pytest.mark.parametrize("options", [{"as_tuple": True}, {"bias": True, "as_tuple": False}])
def test_keywords_without_a_name_of_their_own_may_stand_beside_dynamic_sizes(options: Any) -> None:
    model, x = AnyKeywords().eval(), torch.ones(3, 4)
    options = {k: torch.ones(3, 4) if k == "bias" else v for k, v in options.items()}
    dynamic = {name: {0: "rows"} for name in ("x", "bias") if name == "x" or name in options}
    captured = capture(model, (x,), options, dynamic=dynamic)
    assert [symbol.name for symbol in captured.symbols] == ["rows"]
    assert [spec.name for spec in captured.parameters] == ["linear.weight", "linear.bias"]
    assert [spec.path for spec in captured.inputs] == ["x", *options]
    assert captured.model_name == "AnyKeywords"
    assert "forward" not in vars(model)


def test_a_dimension_may_be_torch_exports_own() -> None:
    dim = torch.export.Dim("rows", min=2, max=9)
    captured = capture(
        Adds(), (torch.ones(6, 3), torch.ones(6, 3)), dynamic={"x": {0: dim}, "y": {0: dim}}
    )
    assert [s.name for s in captured.symbols] == ["rows"]


def test_a_name_that_is_taken_by_an_argument_gets_another() -> None:
    captured = capture(
        Adds(), (torch.ones(6), torch.ones(6)), dynamic={"x": {0: "y"}, "y": {0: "y"}}
    )
    assert [s.name for s in captured.symbols] == ["y_"]


@pytest.mark.parametrize(
    ("dynamic", "words"),
    [
        ({"z": {0: "rows"}}, "z"),
        ({"x": {5: "rows"}}, "dimension 5"),
        ({"x": {0: "not a word"}}, "not a word"),
        ({"x": {0: ("rows", 10, 20)}}, r"\[10, 20\]"),
        ({"x": "rows"}, "mapping"),
        ({"x": {0: "rows"}}, "cannot be dynamic"),
    ],
)
def test_dynamic_dimensions_that_do_not_fit_are_named(dynamic: Any, words: str) -> None:
    with pytest.raises(errors.FastCompileError, match=words):
        capture(Adds(), (torch.ones(6, 3), torch.ones(6, 3)), dynamic=dynamic)
