"""What torch.compile runs with this backend: right numbers, and a report of every graph."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.backend.fastcompile import fastcompile
from ipy_fastcompile.errors import CacheMiss

pytestmark = pytest.mark.slow


class _Small(nn.Module):
    """Counts its calls in a buffer, and talks between three graphs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x).relu()
        self.calls.add_(1)
        print("between")
        y = self.second(y)
        if y.sum().item() > 1e9:
            y = y * 2
        print("at the end")
        return y.softmax(-1)


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight).tanh()


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(4), torch.randn(4)


def test_one_graph_without_breaks_is_one_program_whose_report_says_where_it_is_from(
    beside: Any,
) -> None:
    def model(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x * y).tanh()

    compiled = beside.compile(model, fullgraph=True)
    beside.check(compiled, model, _pair, _pair)
    (graph,) = beside.graphs
    assert (graph.function, graph.recompile, graph.runs, graph.why) == ("model", 0, "program", "")
    assert graph.ends_at.file == __file__
    assert not graph.is_break
    assert graph.report.cache == "miss"
    assert "kernel_0(" in graph.report.execution_code
    assert str(graph).startswith(f"[{graph.frame}/0] model, to {__file__}:")


def test_three_breaks_are_four_graphs_with_equal_prints_and_buffers(beside: Any) -> None:
    model = _Small().eval()
    same = copy.deepcopy(model)
    compiled = beside.compile(model)
    beside.check(compiled, same, *[lambda: (torch.randn(3, 8),)] * 2)
    assert torch.equal(model.calls, same.calls)
    found = beside.graphs
    assert [graph.runs for graph in found] == ["program"] * len(found)
    assert [graph.is_break for graph in found][:2] == [True, True]
    assert "print" in found[0].ends
    assert "item" in found[1].ends
    assert found[0].function == "forward"
    assert found[1].function.startswith("torch_dynamo_resume_in_forward_at_")


def test_another_size_is_a_recompile_and_says_for_which_guard(beside: Any) -> None:
    def model(x: torch.Tensor) -> tuple[torch.Tensor, int]:
        return x.sum(0).exp(), x.shape[0] * 2

    compiled = beside.compile(model)
    beside.check(compiled, model, *(lambda n=n: (torch.randn(n, 4),) for n in (3, 5, 8, 1)))
    static, dynamic, one = beside.graphs
    assert [g.recompile for g in (static, dynamic, one)] == [0, 1, 2]
    assert len({g.frame for g in (static, dynamic, one)}) == 1
    assert "expected 3, actual 5" in dynamic.recompiled_for
    assert dynamic.report.symbols
    assert all(graph.runs == "program" for graph in beside.graphs)


def test_what_a_program_relies_on_in_sizes_is_a_guard_of_dynamo(beside: Any) -> None:
    def model(x: torch.Tensor) -> torch.Tensor:
        return x.view(2, -1) + 1 if x.shape[0] < 100 else x.view(2, -1) * 3

    compiled = beside.compile(model, dynamic=True)
    beside.check(compiled, model, *(lambda n=n: (torch.randn(n),) for n in (4, 6, 300)))
    assert [graph.runs for graph in beside.graphs] == ["program"] * 2
    assert not any(graph.unfit for graph in beside.graphs)


def test_a_number_that_varies_is_right_below_nought_too(beside: Any) -> None:
    def model(x: torch.Tensor, n: int) -> torch.Tensor:
        return x * n + n

    compiled = beside.compile(model)
    beside.check(compiled, model, *(lambda n=n: (torch.ones(3), n) for n in (2, 5, 7, -4, 1, 0)))


def test_a_graph_that_wants_gradients_trains_as_eager_does_and_says_so(beside: Any) -> None:
    model = nn.Linear(4, 4)
    same = copy.deepcopy(model)
    x = torch.randn(2, 4)
    beside.compile(model)(x).pow(2).sum().backward()
    same(x).pow(2).sum().backward()
    assert torch.allclose(model.weight.grad, same.weight.grad)
    (graph,) = beside.graphs
    assert graph.runs == "inductor"
    assert "records autograd" in graph.why
    assert graph.report is None


def test_a_graph_that_leaves_autograd_off_leaves_it_off(beside: Any) -> None:
    def model(x: torch.Tensor) -> torch.Tensor:
        y = x + 1
        torch.set_grad_enabled(False)
        return y * 2

    compiled = beside.compile(model)
    try:
        compiled(torch.ones(3))
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)


def test_inputs_that_are_written_to_are_written_to_and_may_share_memory_later(beside: Any) -> None:
    def model(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        return x * y

    def overlapping() -> tuple[torch.Tensor, torch.Tensor]:
        base = torch.randn(6)
        return base[:4], base[2:]

    compiled = beside.compile(model)
    beside.check(compiled, model, _pair, overlapping, _pair)
    (graph,) = beside.graphs
    assert (graph.runs, graph.unfit) == ("program", 1)


def test_views_of_inputs_share_their_memory(beside: Any) -> None:
    def model(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x[1:], x.relu()

    compiled = beside.compile(model)
    with torch.no_grad():
        x = torch.zeros(3)
        view, _ = compiled(x)
        view.fill_(5)
    assert x.tolist() == [0, 5, 5]
    assert beside.graphs[0].runs == "program"


def test_layers_that_are_compiled_each_for_itself_share_a_program_and_keep_their_weights(
    beside: Any,
) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(_Layer(), _Layer())
    same = copy.deepcopy(layers)
    for layer in layers:
        layer.compile(backend=fastcompile, options={"store": beside.store})
    beside.check(layers, same, lambda: (torch.randn(2, 4),))
    assert {graph.runs for graph in beside.graphs} == {"program"}
    assert [graph.report.cache for graph in beside.graphs] == ["miss"]


def test_strides_that_change_are_right(beside: Any) -> None:
    def model(x: torch.Tensor) -> torch.Tensor:
        return x + 1

    compiled = beside.compile(model, dynamic=True)
    beside.check(compiled, model, lambda: (torch.randn(3, 4),), lambda: (torch.randn(4, 3).t(),))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"options": {"max_autotune": True}}, "options has 'max_autotune'"),
        ({"options": {"force": 1}}, r"options\['force'\] is 1"),
        ({"options": {"store": 3}}, r"options\['store'\] is 3"),
        ({"options": {"split_at": 3}}, "split_at is 3"),
    ],
)
def test_an_option_that_is_not_taken_is_refused_by_name(
    beside: Any, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=said):
        beside.compile(lambda x: x + 1, **asked)(torch.ones(2))


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune", "lite"])
def test_a_mode_that_is_not_taken_is_refused_by_name(beside: Any, mode: str) -> None:
    compiled = torch.compile(lambda x: x + 1, backend=fastcompile, mode=mode)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=f"mode='{mode}'"):
        compiled(torch.ones(2))
    assert beside.graphs == ()


def test_assert_warm_raises_for_what_is_not_in_the_cache(beside: Any, tmp_path: Any) -> None:
    options = {"store": tmp_path, "assert_warm": True}
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match="cache miss") as caught:
        beside.compile(lambda x: x + 1.5, options=options)(torch.ones(2))
    assert isinstance(caught.value.inner_exception, CacheMiss)
    assert fc.Store(tmp_path).entries() == ()
