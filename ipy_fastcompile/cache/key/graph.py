"""graph of Dynamo's + example inputs -> the key of its compile: what is in it, not whence.

The graph is what Dynamo made of the user's Python, whatever file or model that was in; so neither
names of files nor values of weights are in the key, which are inputs. Values of tensors that the
graph holds itself are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...torch_compat import surroundings, symbolic, tensor_kinds
from .call import CallKey, key_of_walk
from .walk import Walk


def make_graph_key(
    name: str,
    graph_module: torch.fx.GraphModule,
    inputs: Sequence[Any],
    *,
    dynamic: Mapping[str, Any],
    split_at: Any,
    exact: bool,
) -> CallKey:
    """The key of the compile of a graph; nothing is compiled or run.

    ``inputs`` are the example's. Only with ``exact`` are the sizes of theirs that may vary a part.
    """
    walk = Walk()
    shared: dict[int, str] = {}
    walk.reach_class(torch.Tensor)  # every graph uses its methods, which somebody may have replaced
    with walk.component("call"):
        walk.line("the model", f"function {name}")
        walk.line("autocast", str(sorted(surroundings.autocasts().items())))
    with walk.component("graph"):
        _describe_graph(walk, "graph", graph_module)
    with walk.component("inputs"):
        nodes = [node for node in graph_module.graph.nodes if node.op == "placeholder"]
        for node, value in zip(nodes, inputs, strict=True):
            _describe_input(walk, node, value, exact=exact)
            if isinstance(value, torch.Tensor):
                first = shared.setdefault(tensor_kinds.storage_identity(value), node.name)
                if first != node.name:
                    walk.line(f"{node.name}, shares memory with", first)
    with walk.component("dynamic"):
        walk.describe("dynamic", dict(dynamic))
    with walk.component("split_at"):
        walk.describe("split_at", split_at)
    return key_of_walk(walk, cuda=any(_is_on_cuda(value) for value in inputs))


def _is_on_cuda(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "cuda"


def _describe_input(walk: Walk, node: torch.fx.Node, value: Any, *, exact: bool) -> None:
    """What Dynamo knows of an input: sizes that may vary are symbols."""
    known = node.meta["example_value"]
    if isinstance(known, torch.Tensor):
        sizes = f"{list(known.shape)} strides {list(known.stride())} from {known.storage_offset()}"
        walk.line(node.name, f"{type(value).__name__} {known.dtype}{sizes} {known.device}")
        if exact:
            walk.line(f"{node.name}, in the example", str(list(value.shape)))
    elif symbolic.is_symbolic_int(known):
        walk.line(node.name, f"number {known}")
        if exact:
            walk.line(f"{node.name}, in the example", str(symbolic.symbolic_hint(known)))
    else:
        walk.describe(node.name, known)


def _describe_graph(walk: Walk, path: str, graph_module: torch.fx.GraphModule) -> None:
    """Every node by what it calls and takes; what the graph holds, with its values."""
    for node in graph_module.graph.nodes:
        where = f"{path}.{node.name}"
        if node.op in ("get_attr", "call_module"):
            walk.line(f"{where}, {node.op}", str(node.target))
            held = _held(graph_module, str(node.target))
            if isinstance(held, torch.fx.GraphModule):
                _describe_graph(walk, where, held)
            elif isinstance(held, torch.nn.Module):
                walk.miss(where, f"it calls a {type(held).__name__} that Dynamo did not read")
            else:
                walk.describe(where, held)
        elif node.op == "call_function":
            walk.describe(where, node.target)
        else:
            walk.line(where, f"{node.op} {node.target}")
        for position, argument in enumerate(node.args):
            _describe_argument(walk, f"{where}[{position}]", argument)
        for name, argument in node.kwargs.items():
            _describe_argument(walk, f"{where}[{name}]", argument)


def _held(graph_module: torch.fx.GraphModule, target: str) -> Any:
    found: Any = graph_module
    for name in target.split("."):
        found = getattr(found, name)
    return found


def _describe_argument(walk: Walk, path: str, argument: Any) -> None:
    if isinstance(argument, torch.fx.Node):
        walk.line(path, f"the value {argument.name}")
    elif isinstance(argument, (tuple, list)):
        walk.line(path, f"{type(argument).__name__} of {len(argument)}")
        for position, inner in enumerate(argument):
            _describe_argument(walk, f"{path}[{position}]", inner)
    elif isinstance(argument, dict):
        walk.line(path, f"dict of {len(argument)}")
        for name, inner in argument.items():
            _describe_argument(walk, f"{path}[{name!r}]", inner)
    elif isinstance(argument, slice):
        walk.line(path, "slice")
        _describe_argument(walk, path, (argument.start, argument.stop, argument.step))
    elif symbolic.is_symbolic_int(argument):
        walk.line(path, f"number {argument}")
    else:
        walk.describe(path, argument)
