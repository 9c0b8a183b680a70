"""Captured -> what a manifest says of its call and of its tensors, whose values it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ..artifact.schema import (
    ExampleOther,
    ExampleTensor,
    ExampleValue,
    Input,
    Signature,
    Symbol,
    TensorSpec,
    Tie,
)
from ..torch_compat import symbolic
from .calls.captured import Captured, ParameterSpec
from .describe_call import describe_call
from .sizes.expressions import size_text


def signature_of(captured: Captured, used: Sequence[ParameterSpec]) -> Signature:
    """The calling convention; ``used`` are the parameters that the program takes."""
    signature = describe_call(
        captured.arguments,
        captured.result,
        [spec.path for spec in captured.inputs],
        captured.argument_names,
        len(captured.example_args),
        list(captured.example_kwargs),
        captured.defaults,
    )
    nodes = [n for n in captured.graph_module.graph.nodes if n.op == "placeholder"]
    values = {node.name: node.meta.get("val") for node in nodes}
    used_names = {parameter.placeholder for parameter in used}
    input_names = {spec.placeholder for spec in captured.inputs}

    def mark(name: str) -> str:
        if name in input_names:
            return "input"
        return "parameter" if name in used_names else "unused"

    return replace(
        signature,
        inputs=tuple(_input(s.path, values[s.placeholder], captured) for s in captured.inputs),
        placeholders=tuple(mark(node.name) for node in nodes),
    )


def _input(path: str, value: Any, captured: Captured) -> Input:
    if not isinstance(value, torch.Tensor):
        return Input(path)
    return Input(path, tuple(_dimension(size, captured) for size in value.shape))


def _dimension(size: Any, captured: Captured) -> int | str:
    """A number, or an expression over the symbols' names."""
    if not symbolic.is_symbolic_int(size):
        return int(size)
    return size_text(symbolic.symbolic_expression(size), captured.names)


def symbols_of(captured: Captured) -> tuple[Symbol, ...]:
    """The dynamic sizes."""
    return tuple(Symbol(s.name, s.min, s.max, s.example) for s in captured.symbols)


def ties_of(captured: Captured) -> tuple[Tie, ...]:
    """Other names of the parameters' memory."""
    return tuple(
        Tie(t.name, t.other, t.offset, None if t.shape is None else tuple(t.shape))
        for t in captured.memory.ties
    )


def tensor_spec(name: str, kind: str, value: torch.Tensor) -> TensorSpec:
    """What a load must find under this name."""
    return TensorSpec(
        name=name,
        kind=kind,
        dtype=str(value.dtype)[6:],
        shape=tuple(int(n) for n in value.shape),
        strides=None if value.is_contiguous() else tuple(int(n) for n in value.stride()),
        device=str(value.device),
    )


def example_leaf(leaf: Any) -> ExampleTensor | ExampleValue | ExampleOther:
    """A leaf of the example call."""
    if isinstance(leaf, torch.Tensor):
        return ExampleTensor(
            str(leaf.dtype)[6:], tuple(leaf.shape), tuple(leaf.stride()), str(leaf.device)
        )
    if leaf is None or isinstance(leaf, (bool, int, float, str)):
        return ExampleValue(leaf)
    return ExampleOther(repr(leaf))


# Non-persistent buffers up to this size are kept, for loads from a state dict.
_KEPT_BUFFER_BYTES = 1 << 20


def stored_tensors(
    captured: Captured, constants: Sequence[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Constants of the graph and of the code, and small non-persistent buffers; never weights."""
    stored = {f"constant {i}": _copy(tensor) for i, tensor in enumerate(constants)}
    for parameter in captured.parameters:
        tensor = captured.constants.get(parameter.name)
        if tensor is None:
            continue
        small = tensor.numel() * tensor.element_size() <= _KEPT_BUFFER_BYTES
        if parameter.kind == "constant" or (not parameter.persistent and small):
            stored[parameter.name] = _copy(tensor)
    return stored


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().contiguous().clone()
