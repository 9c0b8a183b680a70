"""Calls with containers of the user's own: compiled, called, saved, loaded in a fresh process."""

from __future__ import annotations

import collections
import dataclasses
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import _pytree

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.cache.key.call import make_key
from ipy_fastcompile.children.environment import child_environment
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.verification.check import largest_difference

from . import nested_types
from .nested_types import Batch, Box, Cell, Mode, Net, Output, State, Table, cell_call, net_call

X = torch.ones(3, 4)
Compiled = dict[str, tuple[torch.nn.Module, Any]]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """Both models, with a size that varies within a container."""
    cell, net = Cell().eval(), Net().eval()
    state = {"h": {0: "n"}, "c": {0: "n"}}
    return {
        "cell": (
            cell,
            fc.compile(cell, cell_call(3), dynamic={"x": {0: "n"}, "past": {"state": state}}),
        ),
        "net": (net, fc.compile(net, net_call(3), dynamic={"batch": {"ids": {0: "n"}}})),
    }


def assert_alike(model: torch.nn.Module, function: Any, args: tuple[Any, ...]) -> None:
    with torch.no_grad():
        assert largest_difference(model(*args), function(*args)) < 1e-6


@pytest.mark.parametrize("n", [3, 5])
def test_results_have_the_callers_types_and_numbers(compiled: Compiled, n: int) -> None:
    cell, net = compiled["cell"], compiled["net"]
    assert_alike(*cell, cell_call(n))
    assert_alike(*net, net_call(n))
    out = cell[1](*cell_call(n))
    assert type(out) is Box
    assert type(out.inner[0]) is State
    assert out.rest["mode"] is Mode.MEAN
    result = net[1](*net_call(n))
    assert type(result) is Table
    assert type(result["out"]) is Output
    assert (result["out"].name, result["out"].made) == ("y", 1)
    assert type(result["best"]) is torch.return_types.max
    assert type(result["shape"]) is torch.Size
    assert result["shape"] == (n, 4)


def test_arguments_by_name_and_a_container_of_another_type(compiled: Compiled) -> None:
    _, function = compiled["cell"]
    x, past = cell_call(4)
    assert torch.equal(function(past=past, x=x).inner[0].h, function(x, past).inner[0].h)
    with pytest.raises(errors.InputError, match=r"past\['state'\] is a tuple.*takes a .*State"):
        function(x, {"state": tuple(past["state"])})


def test_a_fixed_value_within_a_container_is_checked(compiled: Compiled) -> None:
    _, function = compiled["net"]
    batch, factor = net_call(3)
    for other, said in [
        (dataclasses.replace(batch, mode=Mode.MEAN), r"batch.mode .*takes .*Mode.SUM"),
        (dataclasses.replace(batch, scale=3.0), r"batch.scale .*takes 2.0"),
        (dataclasses.replace(batch, more={}), "batch.more has no 'bias'"),
    ]:
        with pytest.raises(errors.InputError, match=said):
            function(other, factor)
    with pytest.raises(errors.InputError, match=r"factor has the value 1\.5"):
        function(batch, 1.5)  # the example's was one of NumPy


CHILD = """
import sys, torch
import ipy_fastcompile as fc
from ipy_fastcompile.verification.check import largest_difference
folder = sys.argv[1]
from tests.unit.engine import nested_types as types
for name, model in (("cell", types.Cell()), ("net", types.Net())):
    if name == "cell":
        model.load_state_dict(torch.load(folder + "/weights"))
    function = fc.load(f"{folder}/{name}", model.eval())
    args = getattr(types, f"{name}_call")(6)
    with torch.no_grad():
        print(name, largest_difference(model(*args), function(*args)) < 1e-6)
"""


def test_a_fresh_process_gives_the_same_types(compiled: Compiled, tmp_path: Path) -> None:
    for name, (_, function) in compiled.items():
        function.save(tmp_path / name)
    torch.save(compiled["cell"][0].state_dict(), tmp_path / "weights")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)],
        env=child_environment(None),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["cell True", "net True"]


def test_a_load_says_which_module_to_import(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, function = compiled["cell"]
    function.save(tmp_path / "a")
    monkeypatch.delitem(sys.modules, nested_types.__name__)
    with pytest.raises(errors.TreeTypeMissing, match=f"Import {nested_types.__name__} before"):
        fc.load(tmp_path / "a", model)


def test_a_type_that_is_local_to_a_function_works_here_and_is_not_saved(tmp_path: Path) -> None:
    Local = collections.namedtuple("Local", "a b")
    Local.__qualname__ = "f.<locals>.Local"
    function = fc.compile(lambda x: Local(x + 1, x), (torch.ones(3),))
    assert type(function(torch.ones(3))) is Local
    with pytest.raises(errors.SaveError, match="local to a function"):
        function.save(tmp_path / "a")


def test_the_header_says_what_is_fixed(compiled: Compiled) -> None:
    text = compiled["net"][1].execution_code
    assert "factor: always np.float32(1.5)" in text
    assert "batch.mode: always <Mode.SUM: 'sum'>" in text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (State(X, X * 2), State(X, X + 1), True),
        (Box(X, 1), Box(X, 2), False),
        (Box(X, X), State(X, X), False),
        (Output(X), Output(X + 1), True),
        (Output(X), Output(X, "z"), False),
        (Output(X), Output(X[:1]), False),
        ({"a": X, "b": X}, {"b": X, "a": X}, False),
        (X.shape, tuple(X.shape), False),
        (Table(a=X), {"a": X}, False),
        (1, True, False),
    ],
)
def test_the_cache_key_tells_containers_apart(one: Any, other: Any, same: bool) -> None:
    model = Cell()
    keys = [make_key(model, (value,)) for value in (one, other)]
    assert not keys[0].uncovered
    assert (keys[0].key.digest == keys[1].key.digest) is same


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: list[Any] = [X]
    loop.append(loop)
    with pytest.raises(errors.CallError, match="holds itself"):
        capture(lambda items: items[0], (loop,))


# --- what is registered --------------------------------------------------------------------------


@dataclasses.dataclass
class Plain:
    y: torch.Tensor
    n: int = 1


@pytest.fixture
def registered() -> Iterator[type]:
    torch.export.register_dataclass(Plain)
    yield Plain
    _pytree._deregister_pytree_node(Plain)


def test_capture_registers_nothing() -> None:
    before = dict(_pytree.SUPPORTED_NODES)
    captured = capture(lambda p: Plain(p.y + 1), (Plain(torch.ones(3)),))
    assert captured.result.kind == captured.arguments[0][1].kind == "record"
    assert before == _pytree.SUPPORTED_NODES


def test_a_registered_dataclass_is_used_as_registered(registered: type) -> None:
    captured = capture(
        lambda p: Plain(p.y + 1), (Plain(torch.ones(3)),), dynamic={"p": [{0: "n"}, None]}
    )
    assert captured.result.kind == captured.arguments[0][1].kind == "registered"
    assert [s.name for s in captured.symbols] == ["n"]


# --- what a model does to its arguments ----------------------------------------------------------


def appends(items: list[torch.Tensor]) -> torch.Tensor:
    items.append(items[0] + 1)
    return items[-1]


def replaces(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    batch["x"] = batch["x"] + 1
    return batch["x"]


def pops(batch: dict[str, Any]) -> torch.Tensor:
    return batch["x"] + len(batch.pop("note"))


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (appends, [torch.ones(3)]),
        (replaces, {"x": torch.ones(3)}),
        (pops, {"x": torch.ones(3), "note": "ab"}),
    ],
)
def test_a_model_that_changes_what_an_argument_holds_is_refused(
    function: Any, argument: Any
) -> None:
    with pytest.raises(errors.CaptureError, match=r"changes what its argument .* holds"):
        capture(function, (argument,))


def test_a_model_may_write_to_the_tensors_that_an_argument_holds() -> None:
    def writes(batch: Batch) -> torch.Tensor:
        batch.ids.add_(1)
        return batch.ids * 2

    capture(writes, (Batch(ids=torch.ones(3)),))


def test_a_module_that_calls_itself_gets_its_own_containers() -> None:
    class Twice(torch.nn.Module):
        def forward(self, state: State, again: bool = True) -> State:
            state = State(state.h + 1, state.c)
            return self(state, again=False) if again else state

    captured = capture(Twice(), (State(torch.ones(3), torch.ones(3)),))
    assert captured.result.type.endswith(":State")


def test_a_second_attempt_of_export_gets_the_same_containers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pairs(state: State) -> State:
        return State(state.h.view(-1, 2), state.c)

    attempts: list[Any] = []
    export = torch.export.export

    def counted(*args: Any, **kwargs: Any) -> Any:
        attempts.append(kwargs)
        return export(*args, **kwargs)

    monkeypatch.setattr(torch.export, "export", counted)
    pair = {"h": {0: "n"}, "c": {0: "n"}}
    captured = capture(pairs, (State(torch.ones(4), torch.ones(4)),), dynamic={"state": pair})
    assert len(attempts) == 2
    assert captured.result.type.endswith(":State")


def test_hooks_of_the_model_see_its_own_containers() -> None:
    def shift(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x, past = args
        return x, {"state": State(past["state"].h + 1, past["state"].c)}

    def only_inner(_: Any, __: Any, output: Box) -> State:
        assert isinstance(output.inner[0], State)
        return output.inner[0]

    model = Cell().eval()
    model.register_forward_pre_hook(shift)
    model.register_forward_hook(only_inner)
    captured = capture(model, cell_call(3))
    assert captured.result.type.endswith(":State")
    assert "_compiled_call_impl" not in vars(model)


def test_a_graph_module_takes_and_returns_what_export_knows() -> None:
    class Swap(torch.nn.Module):
        def forward(self, x: torch.Tensor, batch: dict[str, torch.Tensor]) -> Any:
            return {"a": [x + batch["y"], x]}

    traced = torch.export.export(Swap(), (torch.ones(3), {"y": torch.ones(3)})).module()
    captured = capture(traced, (torch.ones(3), {"y": torch.ones(3)}))
    assert captured.result.keys == ("a",)
