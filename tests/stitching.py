"""split graph -> a stand-in for `lower` that needs no compiler, and the code it gives, running.

The kernels are the submodules' own FX graphs, run by PyTorch: whatever the execution code computes
with them must be, bit by bit, what the captured graph computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.code.codegen import ExecutionCode, generate_execution_code
from ipy_fastcompile.engine.graph.split import SplitGraph
from ipy_fastcompile.engine.graph.twins import describe
from ipy_fastcompile.engine.kernels.lowered import Kernel, Lowered
from ipy_fastcompile.engine.sizes.kernel_guards import symbol_ranges
from ipy_fastcompile.runtime.bind import compile_execution_fn
from ipy_fastcompile.torch_compat.compiled import CompiledParts
from ipy_fastcompile.torch_compat.wrapping import Wrapping

NOTHING = CompiledParts(
    output_code="",
    aten_graph="",
    line_map=(),
    wrapping=Wrapping(),
    constants={},
    mutated_inputs=(),
    checked_inputs=(),
    launches={},
)


def lower_without_compiler(split: SplitGraph) -> Lowered:
    """As `lower`: twins share a kernel. No kernel has anything in it."""
    ranges = symbol_ranges(split)
    descriptions = tuple(describe(sub.graph_module, ranges) for sub in split.submodules)
    groups: dict[str, list[int]] = {}
    for sub, description in zip(split.submodules, descriptions, strict=True):
        if not sub.inlined:
            groups.setdefault(description.digest, []).append(sub.index)
    kernel_of: list[int | None] = [None] * len(split.submodules)
    kernels = []
    for number, (digest, members) in enumerate(groups.items()):
        kernels.append(
            Kernel(
                index=number,
                digest=digest,
                submodules=tuple(members),
                data=b"",
                parts=NOTHING,
                native=None,
                why="it is the graph itself",
                seconds=0.0,
                near_twin=None,
                exact=frozenset(),
                sizes={},
            )
        )
        for index in members:
            kernel_of[index] = number
    return Lowered(
        split, tuple(kernels), tuple(kernel_of), descriptions, {}, {}, split.captured.conditions
    )


@dataclass(frozen=True)
class Stitched:
    """Execution code over kernels that are graphs: ``call(*leaves)`` runs it."""

    lowered: Lowered
    code: ExecutionCode
    call: Callable[..., tuple[Any, ...]]


def stitch(split: SplitGraph, parameters: Sequence[torch.Tensor]) -> Stitched:
    """Generate execution code and bind it. ``parameters`` are in the order the code binds them."""
    lowered = lower_without_compiler(split)
    code = generate_execution_code(lowered)
    kernels = [split.submodules[k.submodules[0]].graph_module for k in lowered.kernels]
    function = compile_execution_fn(code.text, kernels, parameters, code.constants)

    def call(*leaves: Any) -> tuple[Any, ...]:
        with torch.no_grad():
            return function.forward(*function.check_inputs(*leaves))

    return Stitched(lowered, code, call)


def used_parameters(captured: Captured, model: Any, split: SplitGraph) -> list[torch.Tensor]:
    """The tensors that the code of a captured model binds, in its order."""
    nodes = {n.name: n for n in split.graph_module.graph.nodes}
    found = []
    for parameter in captured.parameters:
        if nodes[parameter.placeholder].users:
            tensor: Any = captured.constants.get(parameter.name)
            if parameter.kind != "constant":
                tensor = model
                for part in parameter.name.split("."):
                    tensor = getattr(tensor, part)
            found.append(tensor)
    return found


def interpret(
    captured: Captured, parameters: dict[str, torch.Tensor], leaves: Sequence[Any]
) -> Any:
    """What FX's interpreter computes with the captured graph, before any split."""
    values = iter(leaves)
    inputs = {spec.placeholder for spec in captured.inputs}
    arguments = [
        next(values) if node.name in inputs else parameters[node.name]
        for node in captured.graph_module.graph.nodes
        if node.op == "placeholder"
    ]
    with torch.no_grad():
        return torch.fx.Interpreter(captured.graph_module).run(*arguments)
