"""What broke vLLM's generated execution code, or was said to in review, does not break ours.

Each test is named after the pull request or issue it comes from.
"""

from __future__ import annotations

import ast
import enum
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.fx import Graph, GraphModule

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.engine.code.codegen import (
    generate_execution_code,
    generate_execution_code_with_name,
)
from ipy_fastcompile.runtime.bind import compile_execution_fn
from tests.unit.engine.test_codegen import everything, stitched

aten = torch.ops.aten


def text_of(build: Any, *arguments: Any, **attributes: Any) -> tuple[str, Any]:
    """The text of a hand-made graph, and what it returns when nothing but torch is imported."""
    graph = Graph()
    inputs = [graph.placeholder(f"x{i}") for i in range(len(arguments))]
    graph.output(build(graph, *inputs))
    root = nn.Module()
    for name, value in attributes.items():
        setattr(root, name, value)
    text = generate_execution_code_with_name(GraphModule(root, graph), "execution_fn")
    namespace: dict[str, Any] = {"torch": torch}
    exec(text, namespace)
    return text, namespace["execution_fn"](*arguments)


# --- constants -----------------------------------------------------------------------------------


class Placement:
    """A class whose repr is a valid expression of a name that the text does not know."""

    def __repr__(self) -> str:
        return "Shard(dim=0)"


class Reduction(enum.Enum):
    SUM = "sum"


def test_vllm_40726_constants_are_never_written_by_repr() -> None:
    for value in (Placement(), Reduction.SUM, torch.ones(2), {1}, object()):
        graph = Graph()
        node = graph.call_function(aten.relu.default, (graph.placeholder("x"),))
        graph.output((node,))
        module = GraphModule(nn.Module(), graph)
        node.args = (*node.args, value)  # FX itself refuses to print some of these
        if isinstance(value, torch.Tensor):
            assert "constant_0" in generate_execution_code_with_name(module, "f")
            continue
        with pytest.raises(errors.CodegenError, match="no exact Python source"):
            generate_execution_code_with_name(module, "f")


def test_torchtitan_3067_a_name_in_a_repr_is_not_left_to_fail_at_the_first_call() -> None:
    graph = Graph()
    node = graph.call_function(aten.relu.default, (graph.placeholder("x"),))
    graph.output((node,))
    module = GraphModule(nn.Module(), graph)
    node.args = (*node.args, [Placement()])
    with pytest.raises(errors.CodegenError) as caught:
        generate_execution_code_with_name(module, "f")
    assert "relu_default" in str(caught.value)
    assert "Placement" in str(caught.value)


def test_vllm_40726_dtypes_devices_and_infinities_evaluate_with_torch_alone() -> None:
    def build(graph: Graph) -> Any:
        options = {
            "dtype": torch.bfloat16,
            "layout": torch.strided,
            "device": torch.device("cpu"),
            "memory_format": torch.contiguous_format,
        }
        empty = graph.call_function(aten.empty.memory_format, ([2],), options)
        return (graph.call_function(aten.fill.Scalar, (empty, float("-inf"))),)

    assert text_of(build)[1][0].tolist() == [-float("inf")] * 2


# --- imports -------------------------------------------------------------------------------------


class Items(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        values, _ = x.topk(2)
        n = x.shape[0]
        return values * (n // 2) + n % 3, n**0.5


def test_vllm_40151_the_text_imports_what_it_uses_and_is_complete_by_itself() -> None:
    code = stitched(Items(), torch.randn(6, 4), dynamic={"x": {0: "rows"}}).code
    assert "operator" not in code.text
    tree = ast.parse(code.text)
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    used = {n.value.id for n in ast.walk(tree)
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}  # fmt: skip
    assert {"torch", "math"} & used <= imported
    namespace: dict[str, Any] = {}
    exec(code.text, namespace)
    forward = namespace["bind"]((), (), code.constants)
    assert len(forward(torch.randn(6, 4), 6)) == 2


# --- keywords, indices, names, no inputs ---------------------------------------------------------


def test_vllm_38657_keyword_arguments_are_not_dropped() -> None:
    def build(graph: Graph, x: Any) -> Any:
        total = graph.call_function(aten.sum.dim_IntList, (x, [0]), {"dtype": torch.float64})
        return (graph.call_function(aten.add.Tensor, (total, total), {"alpha": 3}),)

    (found,) = text_of(build, torch.ones(2, 2))[1]
    assert found.dtype is torch.float64
    assert found.tolist() == [8.0, 8.0]


def test_vllm_38657_a_submodule_called_with_keywords_is_refused_and_not_called_without() -> None:
    code = stitched(Items(), torch.randn(6, 4))
    lowered = code.lowered
    call = next(n for n in lowered.split.graph_module.graph.nodes if n.op == "call_module")
    call.kwargs = {"scale": 2}
    with pytest.raises(errors.CodegenError, match="submod_0 is called with keywords"):
        generate_execution_code(lowered)


def test_vllm_38657_the_index_of_an_item_may_be_a_string() -> None:
    import operator

    def build(graph: Graph, x: Any) -> Any:
        return (graph.call_function(operator.getitem, (x, 'it\'s "x"')),)

    _, found = text_of(build, {'it\'s "x"': 5})
    assert found == (5,)


class Collides(nn.Module):
    def forward(self, _submods: Any, kernels: Any, kernel_0: Any, forward: Any) -> Any:
        return _submods + kernels * kernel_0 - forward


def test_vllm_38657_the_texts_own_names_do_not_collide_with_the_models() -> None:
    values = [torch.full((2,), float(n)) for n in (1, 2, 3, 4)]
    for split_at in (everything, lambda _: None):
        (found,) = stitched(Collides(), *values, split_at=split_at).call(*values)
        assert found.tolist() == [3.0, 3.0]


class NoInputs(nn.Module):
    def forward(self) -> Any:
        return torch.arange(3)


def test_vllm_38657_a_graph_without_inputs_is_valid_python() -> None:
    code = stitched(NoInputs())
    assert code.call()[0].tolist() == [0, 1, 2]
    assert "def forward():" in code.code.text


# --- parts that are missing ----------------------------------------------------------------------


def test_vllm_40151_a_missing_submodule_is_named_and_is_not_none() -> None:
    text = stitched(Items(), torch.randn(6, 4), split_at=lambda _: None).code.text
    with pytest.raises(errors.KernelError, match=r"0 kernels.*expected 1, got 0"):
        compile_execution_fn(text, (), ())
    with pytest.raises(errors.KernelError, match=r"2 kernels.*too many values"):
        compile_execution_fn(text, (len, len), ())


def test_vllm_40151_inlined_submodules_are_not_in_the_list_of_kernels() -> None:
    code = stitched(Items(), torch.randn(6, 4))
    assert not code.lowered.kernels
    assert "kernel" not in code.code.text[code.code.text.index("    def forward") :]


@pytest.mark.slow
def test_vllm_40151_an_artifact_without_its_kernels_names_what_is_missing(
    tiny_artifact: Path, tiny_model: Any, tmp_path: Path
) -> None:
    artifact = open_artifact(tiny_artifact)
    members = {name: artifact.read(name) for name in artifact.names}
    manifest = json.loads(json.dumps(artifact.manifest))
    for key in ("format", "package", "created", "members"):
        manifest.pop(key, None)
    del manifest["programs"][0]["kernels"]
    path = tmp_path / "old.fastcompile"
    save_artifact(path, manifest, members)
    with pytest.raises(errors.ArtifactCorrupt, match=r"programs\[0\]\.kernels is missing"):
        fc.load(path, tiny_model)
    manifest["programs"][0]["kernels"] = artifact.manifest["programs"][0]["kernels"][:-1]
    save_artifact(path, manifest, members)
    with pytest.raises(errors.ArtifactCorrupt, match=r"programs\[0\]\.stitched .* no kernel"):
        fc.load(path, tiny_model)


# --- memory --------------------------------------------------------------------------------------


class Chain(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(4):
            x = x.sin() + 1
        return x


def test_vllm_38657_a_value_is_freed_right_after_its_last_use() -> None:
    code = stitched(Chain(), torch.randn(1000)).code
    alive: set[str] = set()
    most = 0
    for line in code.lines:
        alive |= set(line.defines)
        most = max(most, len(alive))
        alive -= set(line.frees)
    assert most == 2
    assert len(alive) == 1
