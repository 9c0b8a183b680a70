"""Small models compiled by Inductor, whose passes, fusions and refusals are known beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.artifact.inspect import inspect
from ipy_fastcompile.explained import Explained, read_explained
from ipy_fastcompile.fused import APART, FUNCTION, LOOPS, SAME, answers
from ipy_fastcompile.records import KernelRecord, Report
from ipy_fastcompile.show.buffers import buffers_of

pytestmark = pytest.mark.slow
INPUT = torch.arange(128, dtype=torch.float32).reshape(16, 8) / 100


class Product(nn.Module):
    """A call of a library, and what is done to its result in place."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.weight)


def shifted(x: torch.Tensor) -> torch.Tensor:
    gate = torch.sigmoid(x)
    return gate * x + gate.roll(1, 0)


def cast(x: torch.Tensor) -> torch.Tensor:
    return (x * 2).to(torch.float64) + 1


def separate(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x + 1, torch.sin(y)


def centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.sum(1, keepdim=True)


MODELS: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "product": (Product().eval().requires_grad_(False), (INPUT,)),
    "shifted": (shifted, (INPUT,)),
    "cast": (cast, (INPUT,)),
    "separate": (separate, (INPUT, torch.ones(7))),
    "centred": (centred, (INPUT,)),
}


@pytest.fixture(scope="module")
def report_of() -> Callable[[str], Report]:
    """The report of a model by its name, compiled once."""
    made: dict[str, Report] = {}

    def report(name: str) -> Report:
        if name not in made:
            model, args = MODELS[name]
            made[name] = fc.compile(model, args, explain=True).report
        return made[name]

    return report


def kernel_of(report: Report) -> tuple[KernelRecord, Explained]:
    (kernel,) = report.kernels
    return kernel, read_explained(kernel.explained)


def relation(report: Report, first: str, second: str) -> tuple[str, tuple[str, ...]]:
    (pair,) = answers(kernel_of(report)[1], first, second)
    return pair.relation, pair.reasons


def node_of(report: Report, op: str) -> str:
    """The name of the one scheduled node that computes an op."""
    found = [n.name for n in kernel_of(report)[1].nodes if any(op in each for each in n.ops)]
    (name,) = found
    return name


def test_a_product_is_a_call_and_what_follows_is_written_in_place(report_of: Any) -> None:
    report = report_of("product")
    kernel, explained = kernel_of(report)
    product, relu = node_of(report, "mm"), node_of(report, "relu")
    kinds = {node.name: (node.kind, node.call) for node in explained.nodes}
    assert kinds[product] == ("extern", "extern_kernels.mm")
    assert kinds[relu] == ("pointwise", "")
    assert relation(report, product, relu) == (APART, ())  # of a call nothing is said on a CPU
    buffers = buffers_of(kernel, explained)
    (reused,) = buffers.reused
    assert reused == ("buf1", "buf0")
    assert [name for name, _ in buffers.in_place] == ["buf1"]


def test_what_is_read_in_another_order_is_not_fused_and_the_reason_is_there(
    report_of: Any,
) -> None:
    report = report_of("shifted")
    gate, total = (node_of(report, op) for op in ("sigmoid", "add"))
    assert relation(report, gate, total) == (FUNCTION, ("memory deps did not match",))


def test_a_cast_is_computed_with_what_is_around_it(report_of: Any) -> None:
    report = report_of("cast")
    explained = kernel_of(report)[1]
    (node,) = explained.nodes
    assert any("_to_copy" in op or "convert_element_type" in op for op in node.ops)
    assert node.value == "float64[16, 8]"
    assert relation(report, node_of(report, "mul"), node_of(report, "add"))[0] == SAME


def test_of_two_sizes_nothing_was_asked_and_nothing_is_guessed(report_of: Any) -> None:
    report = report_of("separate")
    how, _ = relation(report, node_of(report, "add"), node_of(report, "sin"))
    assert how in (FUNCTION, APART)


def test_a_reduction_and_what_reads_it_row_by_row_are_fused(report_of: Any) -> None:
    report = report_of("centred")
    assert relation(report, node_of(report, "sum"), node_of(report, "sub"))[0] == LOOPS


@pytest.mark.parametrize("name", list(MODELS))
def test_groups_hold_every_node_once_and_name_what_is_in_the_output_code(
    report_of: Any, name: str
) -> None:
    kernel, explained = kernel_of(report_of(name))
    members = [node for group in explained.groups for node in group.nodes]
    assert sorted(members) == sorted(node.name for node in explained.nodes)
    functions = {group.kernel for group in explained.groups}
    called = set(re.findall(r"\b(cpp_fused_\w+|extern_kernels\.\w+)\(", kernel.output_code))
    assert functions == called


@pytest.mark.parametrize("name", list(MODELS))
def test_every_node_has_its_line_of_the_model(report_of: Any, name: str) -> None:
    for node in kernel_of(report_of(name))[1].nodes:
        assert node.source is not None
        assert node.source.file == __file__


@pytest.mark.parametrize("name", list(MODELS))
def test_the_passes_of_all_stages_are_there(report_of: Any, name: str) -> None:
    passes = kernel_of(report_of(name))[1].passes
    assert {"joint_graph_passes", "post_grad_passes"} <= {each.stage for each in passes}
    for each in passes:
        assert each.changed == bool(each.diff)
        assert each.seconds >= 0


@contextmanager
def a_pass(graph_pass: Callable[[torch.fx.Graph], None]) -> Iterator[None]:
    import torch._inductor.config

    with torch._inductor.config.patch(post_grad_custom_pre_pass=graph_pass):
        yield


class Doubled(torch._inductor.custom_graph_pass.CustomGraphPass):
    """A user's own pass: one multiplies by four where the model does by two."""

    def __call__(self, graph: torch.fx.Graph) -> None:
        for node in graph.nodes:
            if node.target is torch.ops.aten.mul.Tensor:
                node.update_arg(1, 4)

    def uuid(self) -> str:
        return "doubled"


def test_a_users_pass_is_recorded_with_what_it_changed() -> None:
    with a_pass(Doubled()):
        report = fc.compile(cast, (INPUT,), explain=True).report
    own = [p for p in kernel_of(report)[1].passes if p.name == "post_grad_custom_pre_pass"]
    (changed,) = [each for each in own if each.changed]
    before, after = ([line for line in changed.diff if line.mark == mark] for mark in "-+")
    assert ["mul" in line.text for line in (*before, *after)] == [True, True]
    assert before[0].text.replace(", 2)", ", 4)") == after[0].text
    assert after[0].source is not None
    assert "x * 2" in after[0].source.text


def test_the_records_are_in_the_artifact(tmp_path: Any, report_of: Any) -> None:
    model, args = MODELS["centred"]
    compiled = fc.compile(model, args)
    compiled.report = report_of("centred")
    compiled.save(tmp_path / "centred.fastcompile")
    stored = inspect(tmp_path / "centred.fastcompile").report
    assert stored is not None
    assert stored.fusions(0) == report_of("centred").fusions(0)
    assert stored.passes(0) == report_of("centred").passes(0)
