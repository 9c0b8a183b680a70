"""a compile by Inductor -> every pass over its graph, with the graph before and after.

torch.fx.passes.graph_transform_observer, which runs Inductor's and the user's; seen on 2.11, 2.13.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.fx import Graph, Node


class NodeLine(NamedTuple):
    """A node as one line, and the stack trace of where the model asked for it."""

    text: str
    trace: str


class SeenPass(NamedTuple):
    """A pass that ran: the part of Inductor that ran it, its name, wall time, the graphs."""

    stage: str
    name: str
    seconds: float
    before: Sequence[NodeLine]
    after: Sequence[NodeLine]


@contextlib.contextmanager
def watched_passes(on_pass: Callable[[SeenPass], None]) -> Iterator[None]:
    """While this lasts, ``on_pass`` is told of every pass that ends.

    A pass that runs others in it is told after them.
    """
    from torch.fx.passes.graph_transform_observer import GraphTransformObserver

    observer: Any = GraphTransformObserver
    originals = observer.apply_gm_pass, observer.apply_graph_pass

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(self: Any, pass_fn: Callable[..., Any]) -> Any:
            before = _node_lines(self.gm.graph)
            started = time.perf_counter()
            result = original(self, pass_fn)
            seconds = time.perf_counter() - started
            after = _node_lines(self.gm.graph)
            on_pass(SeenPass(self.subsystem or "", self.passname, seconds, before, after))
            return result

        return apply

    observer.apply_gm_pass, observer.apply_graph_pass = map(watched, originals)
    try:
        yield
    finally:
        observer.apply_gm_pass, observer.apply_graph_pass = originals


def _node_lines(graph: Graph) -> list[NodeLine]:
    """The graph, a line for each node; of what it takes in, the type alone."""
    return [NodeLine(_line(node), node.meta.get("stack_trace") or "") for node in graph.nodes]


def _line(node: Node) -> str:
    arguments = [*map(str, node.args), *(f"{k}={v}" for k, v in node.kwargs.items())]
    kind = _type(node.meta.get("val"))
    name = f"{node.name}: {kind}" if kind else node.name
    if node.op == "placeholder":
        return name
    if node.op == "output":
        return f"return {', '.join(arguments)}"
    return f"{name} = {node.target}({', '.join(arguments)})"


def _type(value: Any) -> str:
    """``f32[2, seq]``, strides where they are not those of a contiguous tensor."""
    if not isinstance(value, torch.Tensor):
        return ""
    return f"{str(value.dtype)[6:]}[{', '.join(map(str, value.shape))}]"
