"""a difference from eager -> which submodule makes it, or that it is none of them.

The graph is run op by op, each submodule on what its kernel got: see `reference`. An error that no
submodule makes is in the capture, or adds up from rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..artifact.schema import read_program
from ..artifact.squeeze import unsqueeze
from ..engine.calls.fastpath import takes_fast_path
from ..engine.calls.unharmed import Kept, put_back
from ..engine.graph.randomness import draws_of
from ..runtime.load import load_parts
from ..torch_compat import stored_graphs
from .check import cloned
from .recording import record_call
from .reference import judge
from .tolerance import bounds_for, compare


@dataclass(frozen=True)
class Diagnosis:
    """Where a difference comes from, in words, and whether the compiled model is right even so."""

    words: str
    is_harmless: bool = False


def diagnose(
    compiled: Any,
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    kept: Kept,
    eager: Sequence[Any],
    *,
    is_random: bool,
) -> Diagnosis:
    """Find the first submodule that computes something else than its graph does."""
    try:
        program = read_program(compiled.parts.manifest, compiled.parts.path)
        graph = stored_graphs.deserialize_graph(
            unsqueeze(compiled.parts.read(program.fx), program.fx)
        )
        types = getattr(compiled.parts, "types", None)
        function = load_parts(compiled.parts, model, types=types, with_tree=False)

        def weights() -> Any:
            put_back(kept)
            return model

        def inputs() -> list[Any]:
            return list(function.flat.leaves(cloned(tuple(args)), cloned(dict(kwargs))))

        recording = record_call(compiled.parts, weights, inputs)
        put_back(kept)
        calls = [vars(call) for call in recording.calls]
        verdict = judge(
            graph, program, function.parts.parameters, inputs(), {**vars(recording), "calls": calls}
        )
    except Exception as error:  # noqa: BLE001 - a difference is told, whatever else fails
        return Diagnosis(f"Which submodule it is cannot be told: {type(error).__name__}: {error}")
    finally:
        put_back(kept)
    drawing = {
        name
        for name, module in graph.named_children()
        if isinstance(module, torch.fx.GraphModule) and draws_of(module)
    }
    rows = [row for row in verdict["submodules"] if row[0] not in drawing]
    wrong = next((row for row in rows if not row[2]), None)
    if wrong is not None:
        name, largest, _, where = wrong
        return Diagnosis(
            f"The first submodule that computes something else is {name}"
            f"{_module(compiled, name)}: {largest:.2g} in {where}."
        )
    if is_random:
        return Diagnosis(
            "Random numbers: they are not eager's under the same seed, so that the result was not "
            f"compared; {len(rows)} of {len(verdict['submodules'])} submodules draw none, and each "
            "of them is within the tolerance of its dtype.",
            is_harmless=True,
        )
    if _is_captured(verdict["outputs"], eager, compiled):
        return Diagnosis(
            "Beyond the tolerance of the whole model, but each submodule is within its own: it is "
            "rounding that adds up.",
            is_harmless=True,
        )
    return Diagnosis(
        "Every submodule computes what its graph says, so the capture holds something else than "
        "eager runs: a mode, a state or a fast path that only eager takes." + _fast_path(model)
    )


def _is_captured(graph: Sequence[Any], eager: Sequence[Any], compiled: Any) -> bool:
    """Whether the graph, op by op, gives what eager gives."""
    nodes = (node.value for record in compiled.report.graphs for node in record.nodes)
    bounds = bounds_for(value.dtype for value in nodes if value is not None)
    return len(graph) == len(eager) and all(
        compare(a, b, bounds=bounds)[1] for a, b in zip(eager, graph, strict=True)
    )


def _module(compiled: Any, name: str) -> str:
    paths = {sub.name: sub.module for sub in compiled.report.submodules}
    return f" ({paths[name]})" if paths.get(name) else ""


def _fast_path(model: Any) -> str:
    """What to do about the one fast path that is known to give other numbers."""
    owner = model if isinstance(model, torch.nn.Module) else getattr(model, "__self__", None)
    modules = owner.modules() if isinstance(owner, torch.nn.Module) else ()
    if not any(map(takes_fast_path, modules)):
        return ""
    return (
        " In evaluation mode nn.TransformerEncoder computes nothing at padded positions and leaves "
        "zeros there; build it with enable_nested_tensor=False to have the same numbers in eager."
    )
