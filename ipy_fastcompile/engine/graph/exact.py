"""submodule + the strides its compiled form returns -> its outputs that lie as the graph says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch.fx import GraphModule, Node

from ...torch_compat import symbolic, tensor_kinds

# What sympy reads without a doubt: sums and products of sizes.
_PLAIN = re.compile(r"[\w+\-*() ]*")


def exact_outputs(
    graph_module: GraphModule, strides: Sequence[Sequence[str] | None]
) -> frozenset[int]:
    """Positions of the tensors that a compiled submodule returns with the strides of its graph.

    ``strides`` are those it returns, as expressions over the symbols; they are compared as such,
    so that they are equal at every size. What shares memory with an input is left out: it may be
    handed on as it came.
    """
    nodes = list(graph_module.graph.nodes)
    results: Sequence[Any] = nodes[-1].args[0]
    if len(strides) != len(results):
        return frozenset()
    memory = set(map(_memory, (n.meta.get("val") for n in nodes if n.op == "placeholder")))
    values = [n.meta.get("val") if isinstance(n, Node) else None for n in results]
    pairs = enumerate(zip(values, strides, strict=True))
    return frozenset(
        position
        for position, (value, found) in pairs
        if found is not None and _memory(value) not in {None, *memory} and _is_exact(value, found)
    )


def _memory(value: Any) -> int | None:
    """What a strided tensor shares with others that have the same memory, None for all else."""
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
        return None
    return tensor_kinds.storage_identity(value)


def _is_exact(value: Any, found: Sequence[str]) -> bool:
    if len(found) != value.dim() or not all(map(_PLAIN.fullmatch, found)):
        return False
    predicted = [_expression(number) for number in value.stride()]
    sizes = [_expression(number) for number in value.shape]
    names = {str(s): s for number in (*predicted, *sizes) for s in number.free_symbols}
    return all(
        size == 1 or sympy.sympify(text, locals=names) == number
        for text, number, size in zip(found, predicted, sizes, strict=True)
    )


def _expression(number: Any) -> Any:
    if symbolic.is_symbolic_int(number):
        return symbolic.symbolic_expression(number)
    return sympy.Integer(int(number))
