"""What `torch.export` refuses and Dynamo reads is captured by way of Dynamo; nothing else is."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine.calls import another_way, capture as capture_module
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.errors import CaptureError, FastCompileWarning

Z = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))


class Layered(nn.Module):
    """Two numbered layers, and a function of the model and its input."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


def energy(model: Layered, x: torch.Tensor) -> torch.Tensor:
    for layer in model.layers:
        x = layer(x).sin()
    return x.pow(2).sum()


def differentiates(model: Layered, x: torch.Tensor) -> torch.Tensor:
    return torch.func.grad(lambda y: energy(model, y))(x)


def differentiates_rows(model: Layered, x: torch.Tensor) -> torch.Tensor:
    return torch.vmap(torch.func.grad(lambda y: energy(model, y)))(x)


def pulls_back(model: Layered, x: torch.Tensor) -> Any:
    value, pull = torch.func.vjp(lambda y: model.layers[0](y).sin(), x)
    return {"value": value, "pulled": pull(torch.ones_like(value))[0]}


def jacobian(model: Layered, x: torch.Tensor) -> torch.Tensor:
    return torch.func.jacrev(lambda y: energy(model, y))(x)


def second_derivatives(model: Layered, x: torch.Tensor) -> torch.Tensor:
    return torch.func.hessian(lambda y: energy(model, y))(x[0])


def forces(model: Layered, x: torch.Tensor) -> Any:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = energy(model, x)
        (gradient,) = torch.autograd.grad(value, x)
    return value.detach(), -gradient


def goes_backward(model: Layered, x: torch.Tensor) -> Any:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        energy(model, x).backward()
    return x.grad


def uses_numpy(model: Layered, x: torch.Tensor) -> torch.Tensor:
    y = model.layers[0](x).detach().numpy()
    return model.layers[1](torch.from_numpy(np.maximum(y, 0) + 1))


def nests(model: Layered, x: torch.Tensor) -> torch.Tensor:
    nested = torch.nested.nested_tensor_from_jagged(model.layers[0](x), torch.tensor([0, 2, 6]))
    return model.layers[1]((nested * 2).values())


CASES = (
    *(differentiates, differentiates_rows, pulls_back, jacobian, second_derivatives),
    *(uses_numpy, nests, forces),
)


def run(captured: Any, model: nn.Module, *leaves: Any) -> list[Any]:
    """What the graph gives with the model's own tensors."""
    held = {**dict(model.named_parameters()), **dict(model.named_buffers()), **captured.constants}
    with torch.no_grad():
        return list(captured.graph_module(*(held[p.name] for p in captured.parameters), *leaves))


def leaves_of(result: Any) -> list[Any]:
    return list(torch.utils._pytree.tree_leaves(result))


def names(captured: Any) -> set[str]:
    return {p.name for p in captured.parameters if p.kind == "parameter"}


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_the_graph_is_right_for_other_values_and_other_weights(
    function: Callable[..., Any],
) -> None:
    model = Layered(function).eval()
    captured = capture(model, (Z,))
    assert "by way of Dynamo" in captured.notes[-1]
    assert "layers.0.weight" in names(captured)
    other = Layered(function).eval()
    expected = [t.detach() for t in leaves_of(other(Z * 3))]
    torch.testing.assert_close(run(captured, other, Z * 3), expected, rtol=1e-4, atol=1e-5)


def test_lines_and_modules_of_its_nodes_are_the_models() -> None:
    captured = capture(Layered(uses_numpy).eval(), (Z,))
    nodes = [n for n in captured.graph_module.graph.nodes if "linear" in str(n.target)]
    stacks = [list(node.meta["nn_module_stack"].values())[-1][0] for node in nodes]
    assert stacks == ["layers.0", "layers.1"]
    assert all("test_another_way.py" in node.meta["stack_trace"] for node in nodes)


def test_what_export_takes_is_not_read_by_dynamo(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("Dynamo was asked")

    monkeypatch.setattr(capture_module, "straight_forwards", refuse)
    captured = capture(Layered(energy).eval(), (Z,))
    assert captured.notes == ()
    with pytest.raises(AssertionError, match="Dynamo was asked"):
        capture(Layered(uses_numpy).eval(), (Z,))


def branches(model: Layered, x: torch.Tensor) -> torch.Tensor:
    return x if x.sum() > 0 else model.layers[0](x)


def in_vain(model: Layered, x: torch.Tensor) -> torch.Tensor:
    y = model.layers[0](x)
    y.data = y.data * 2
    return y


def test_what_no_reading_helps_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(another_way, "_by_detour", lambda *_: pytest.fail("Dynamo was asked"))
    with pytest.raises(CaptureError, match=r"branches on the values in a tensor at .*branches"):
        capture(Layered(branches).eval(), (Z,))


def test_where_both_fail_the_message_is_that_of_export() -> None:
    with pytest.raises(CaptureError, match=r"through \.data"):
        capture(Layered(in_vain).eval(), (Z,))


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Any]:
    """A mesh of this process alone."""
    from torch.distributed.device_mesh import init_device_mesh

    file = f"file://{tmp_path / 'store'}"
    torch.distributed.init_process_group("gloo", init_method=file, rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def test_a_dtensor_on_the_way_is_the_tensor_in_it(mesh: Any) -> None:
    from torch.distributed.tensor import DTensor, Replicate

    def distributes(model: Layered, x: torch.Tensor) -> torch.Tensor:
        y = DTensor.from_local(model.layers[0](x), mesh, [Replicate()], run_check=False)
        return model.layers[1](y.relu().to_local())

    model = Layered(distributes).eval()
    captured = capture(model, (Z,))
    assert "layers.1.weight" in names(captured)
    torch.testing.assert_close(run(captured, model, Z * 2)[0], model(Z * 2).detach())


def test_parameters_that_hold_others_are_no_constants(mesh: Any) -> None:
    from torch.distributed.tensor import DTensor, Replicate, distribute_module

    def distributes(model: Layered, x: torch.Tensor) -> torch.Tensor:
        y = DTensor.from_local(x, mesh, [Replicate()], run_check=False)
        return model.layers[0](y).to_local()

    model = Layered(distributes).eval()
    distribute_module(model, mesh)
    with pytest.raises(CaptureError, match="DTensorSpec"):
        capture(model, (Z,))


# --- what it leaves behind -----------------------------------------------------------------------


class Counts(Layered):
    """It prints, counts its calls and has a buffer that it assigns, beside all else."""

    def __init__(self) -> None:
        super().__init__(uses_numpy)
        self.calls = 0
        self.register_buffer("total", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        y = self.function(self, x)
        self.total = self.total + y.sum(0).detach()
        print("called")
        return y


def test_effects_are_noticed_and_put_back() -> None:
    model = Counts().eval()
    with pytest.warns(FastCompileWarning) as caught:
        captured = capture(model, (Z,))
    said = str(caught[0].message)
    assert "a change of Counts.calls (0, then 1)" in said
    assert "what it prints" in said
    assert model.calls == 0
    assert model.total.tolist() == [0.0] * 4
    run(captured, model, Z)
    torch.testing.assert_close(model.total, uses_numpy(model, Z).sum(0))


def test_gradients_that_are_left_in_parameters_are_told() -> None:
    model = Layered(goes_backward).eval()
    with pytest.warns(FastCompileWarning, match="the gradients that it leaves in parameters"):
        captured = capture(model, (Z,))
    assert all(p.grad is None for p in model.parameters())
    torch.testing.assert_close(run(captured, model, Z)[0], goes_backward(model, Z))


def test_dynamo_leaves_nothing_behind() -> None:
    from torch._dynamo.utils import counters

    model = Layered(differentiates_rows).eval()
    given = Z.clone()
    x = given.requires_grad_(False)

    def seen() -> dict[str, Any]:
        return {
            "globals": set(globals()),
            "builtins": set(vars(builtins)),
            "model": {name: dict(vars(inner)) for name, inner in model.named_modules()},
            "tensors": [dict(vars(t)) for t in (x, *model.parameters())],
            "counters": {name: dict(counter) for name, counter in counters.items()},
            "configuration": torch._dynamo.config.get_config_copy(),
            "grad": torch.is_grad_enabled(),
            "transforms": torch._C._functorch.get_dynamic_layer_stack_depth(),
        }

    before = seen()
    capture(model, (x,), dynamic={"x": {0: "rows"}})
    assert seen() == before


def test_what_was_compiled_before_is_not_compiled_again() -> None:
    compiled = 0

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        nonlocal compiled
        compiled += 1
        return graph.forward

    function = torch.compile(lambda x: x + 1, backend=backend)
    function(Z)
    capture(Layered(uses_numpy).eval(), (Z,))
    function(Z)
    assert compiled == 1


def test_a_failed_trace_leaves_no_transform_on() -> None:
    for function in (second_derivatives, differentiates_rows):
        capture(Layered(function).eval(), (Z,))
        assert torch._C._functorch.get_dynamic_layer_stack_depth() == 0
        with torch.autograd.forward_ad.dual_level():  # of which there can be one
            pass


# --- sizes, containers, kinds of callables -------------------------------------------------------


def long_or_short(model: Layered, x: torch.Tensor) -> torch.Tensor:
    y = uses_numpy(model, x)
    return y * 2 if x.shape[0] > 4 else y


def test_sizes_that_were_asked_about_are_those_that_the_graph_is_for() -> None:
    model = Layered(long_or_short).eval()
    captured = capture(model, (Z,), dynamic={"x": {0: "rows"}})
    assert [(s.name, s.min, s.max) for s in captured.symbols] == [("rows", 5, None)]
    x = torch.randn(9, 4)
    torch.testing.assert_close(run(captured, model, x)[0], long_or_short(model, x).detach())


def test_what_was_found_of_sizes_is_a_condition() -> None:
    def even(model: Layered, x: torch.Tensor) -> torch.Tensor:
        y = uses_numpy(model, x)
        return y * 2 if x.shape[0] % 2 == 0 else y

    captured = capture(Layered(even).eval(), (Z,), dynamic={"x": {0: "rows"}})
    assert len(captured.conditions) == 1
    assert "Mod" in str(captured.conditions[0].expression)


def test_two_sizes_that_are_equal_by_chance_stay_two() -> None:
    class Pair(Layered):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.cat([uses_numpy(self, x), uses_numpy(self, y)])

    model = Pair(uses_numpy).eval()
    captured = capture(model, (Z, Z + 1), dynamic={"x": {0: "a"}, "y": {0: "b"}})
    assert [s.name for s in captured.symbols] == ["a", "b"]
    given = torch.randn(3, 4), torch.randn(5, 4)
    torch.testing.assert_close(run(captured, model, *given)[0], model(*given).detach())


def test_a_dimension_that_is_fixed_is_told_as_ever() -> None:
    def fixed(model: Layered, x: torch.Tensor) -> torch.Tensor:
        return uses_numpy(model, x) + torch.ones(6, 4)

    with pytest.raises(CaptureError, match=r"rows.*fixe[sd].*6"):
        capture(Layered(fixed).eval(), (Z,), dynamic={"x": {0: "rows"}})


def test_a_number_that_varies_is_no_constant() -> None:
    def scaled(x: torch.Tensor, times: int) -> torch.Tensor:
        return torch.from_numpy(x.detach().numpy() * 2) * times

    with pytest.raises(CaptureError, match="NumPy"):
        capture(scaled, (Z, 3), dynamic={"times": "times"})
    assert "by way of Dynamo" in capture(scaled, (Z, 3)).notes[-1]


class Box:
    def __init__(self, x: torch.Tensor, label: str) -> None:
        self.x = x
        self.label = label


def test_objects_come_and_go_in_their_own_types() -> None:
    def boxed(box: Box, model: Layered) -> Box:
        return Box(uses_numpy(model, box.x), box.label + "!")

    class Takes(Layered):
        def forward(self, box: Box) -> Box:
            return boxed(box, self)

    captured = capture(Takes(uses_numpy).eval(), (Box(Z, "z"),))
    assert captured.result.type.endswith(":Box")
    assert captured.inputs[0].path == "box.x"


def test_functions_and_methods_are_captured_too() -> None:
    model = Layered(uses_numpy).eval()
    for function in (lambda x: uses_numpy(model, x), model.forward):
        captured = capture(function, (Z,))
        assert "by way of Dynamo" in captured.notes[-1]


def test_a_function_may_find_all_its_tensors_outside() -> None:
    layer = nn.Linear(4, 4).eval()
    captured = capture(lambda: layer(Z), ())
    assert captured.notes[-1].startswith("<lambda> takes no tensor as an argument")
    torch.testing.assert_close(run(captured, layer)[0], layer(Z).detach())


@pytest.mark.slow
def test_such_a_model_is_compiled_saved_and_reloaded(tmp_path: Path) -> None:
    model = Layered(differentiates_rows).eval()
    compiled = fc.compile(model, (Z,), dynamic={"x": {0: "rows"}}, check=True)
    assert "by way of Dynamo" in compiled.report.notes[-1]
    assert all(kernel.native for kernel in compiled.report.kernels)
    path = compiled.save(tmp_path / "rows.fastcompile").path
    other = Layered(differentiates_rows).eval()
    x = torch.randn(11, 4)
    torch.testing.assert_close(fc.load(path, other)(x), other(x).detach(), rtol=1e-4, atol=1e-5)
