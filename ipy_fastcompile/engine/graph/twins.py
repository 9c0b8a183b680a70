"""Submodule -> a digest that its twins share, and what keeps near-twins apart.

Two submodules are twins when their graphs are the same after names are normalised: placeholders,
values and symbolic sizes count in order of first appearance. The description covers everything
that Inductor sees: ops, arguments, and dtype, shape, stride, device and layout of every value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...torch_compat import symbolic, tensor_kinds


@dataclass(frozen=True)
class Description:
    """A graph as normalised lines, one a node, and the nodes' names for messages."""

    lines: tuple[str, ...]
    names: tuple[str, ...]
    ops: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the lines, 64 hex digits."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


class _Normaliser:
    """Writes names and symbols as numbers, in order of first appearance."""

    def __init__(self, ranges: Mapping[Any, str]) -> None:
        self._nodes: dict[Node, int] = {}
        self._symbols: dict[Any, str] = {}
        self._storages: dict[int, str] = {}
        self._written: dict[tuple[type, Any], str] = {}
        self._ranges = ranges

    def node(self, node: Node) -> str:
        return f"%{self._nodes.setdefault(node, len(self._nodes))}"

    def number(self, value: Any) -> str:
        if not symbolic.is_symbolic_int(value):
            return repr(value)
        expression = symbolic.symbolic_expression(value)
        # A graph has few distinct sizes, and sympy prints slowly.
        key = (type(value), expression)
        if key not in self._written:
            self._written[key] = self._write(expression)
        return self._written[key]

    def _write(self, expression: Any) -> str:
        for symbol in sorted(expression.free_symbols, key=str):
            if symbol not in self._symbols:
                limits = self._ranges.get(symbol, "")
                self._symbols[symbol] = f"s{len(self._symbols)}{limits}"
        text = str(expression)
        for symbol in sorted(expression.free_symbols, key=lambda s: -len(str(s))):
            text = text.replace(str(symbol), f"<{self._symbols[symbol]}>")
        return text

    def value(self, value: Any) -> str:
        if isinstance(value, torch.Tensor):
            numbers = ",".join(self.number(n) for n in value.shape)
            layout = str(value.layout)
            if value.layout is torch.strided:
                strides = ",".join(self.number(n) for n in value.stride())
                layout = f"[{strides}]+{self.number(value.storage_offset())}"
            flags = ("c" if value.is_conj() else "") + ("n" if value.is_neg() else "")
            return f"{value.dtype}({numbers}){layout}@{value.device}{flags}"
        if isinstance(value, (list, tuple)):
            return f"({', '.join(map(self.value, value))})"
        return self.number(value)

    def sharing(self, node: Node) -> str:
        """Which earlier input has the same storage: kernels that mutate must know."""
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            return ""
        storage = tensor_kinds.storage_identity(value)
        first = self._storages.setdefault(storage, self.node(node))
        return "" if first == self.node(node) else f"shares {first}"

    def argument(self, value: Any) -> str:
        if isinstance(value, Node):
            return self.node(value)
        if isinstance(value, (list, tuple)):
            return f"{type(value).__name__}({', '.join(map(self.argument, value))})"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{k!r}: {self.argument(v)}' for k, v in value.items())}}}"
        if isinstance(value, slice):
            return f"slice({', '.join(map(self.argument, (value.start, value.stop, value.step)))})"
        return f"{type(value).__name__} {self.number(value)}"


def describe(graph_module: GraphModule, ranges: Mapping[Any, str] | None = None) -> Description:
    """The normalised description of a graph.

    ``ranges`` maps symbols to their ranges as text; symbols of different ranges are not the same.
    """
    normaliser = _Normaliser(ranges or {})
    lines, names, ops = [], [], []
    for node in graph_module.graph.nodes:
        target = "" if node.op in ("placeholder", "output") else _target(graph_module, node)
        is_input = node.op == "placeholder"
        arguments = normaliser.sharing(node) if is_input else normaliser.argument(node.args)
        keywords = normaliser.argument(node.kwargs) if node.kwargs else ""
        value = normaliser.value(node.meta.get("val"))
        label = normaliser.node(node)
        lines.append(f"{label} {node.op} {target} {arguments} {keywords} -> {value}")
        names.append(node.name)
        ops.append(f"{node.op} {target}")
    return Description(tuple(lines), tuple(names), tuple(ops))


def _target(graph_module: GraphModule, node: Node) -> str:
    if node.op != "get_attr":
        return str(node.target)
    value = getattr(graph_module, str(node.target))
    if isinstance(value, GraphModule):
        return f"graph {describe(value).digest}"
    if isinstance(value, torch.Tensor):
        data = value.detach().cpu().contiguous()
        raw = data.reshape(-1).view(torch.uint8).numpy().tobytes() if data.numel() else b""
        return f"tensor {data.dtype} {tuple(data.shape)} {hashlib.sha256(raw).hexdigest()}"
    return f"{type(value).__qualname__} {id(value)}"  # unknown: never equal to another one


def first_difference(one: Description, other: Description) -> tuple[str, str, str] | None:
    """What keeps two graphs with the same ops apart: the first node, and its words in both.

    Graphs with different ops are no near-twins; for them, and for equal ones, the answer is None.
    """
    if one.ops != other.ops:
        return None
    for name, mine, its in zip(one.names, one.lines, other.lines, strict=True):
        if mine != its:
            return (name, *_differing_words(mine, its))
    return None


def _differing_words(mine: str, its: str) -> tuple[str, str]:
    """The differing words of two lines, with a little of what stands around them."""
    left, right = mine.split(" "), its.split(" ")
    for position, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            start, end = max(0, position - 1), position + 2
            return _words(left[start:end]), _words(right[start:end])
    return mine, its


def _words(words: list[str]) -> str:
    return " ".join(words).strip(" ,)")
