"""graph of Dynamo's + its example inputs -> the call to compile: a function, arguments, sizes.

Dynamo says by symbols which sizes may vary. A size that is 0 or 1 in the example does not: the
check of the program becomes a guard of Dynamo's then, as every other one does.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..engine.calls.asked_kinds import Asked
from ..errors import CaptureError
from ..frozen import frozen
from ..torch_compat import straight, symbolic


@frozen
class Wanted:
    """The call that a graph is compiled as."""

    call: Callable[..., Any]
    args: tuple[Any, ...]
    dynamic: Mapping[str, Any]

    @property
    def kind(self) -> Asked:
        """The same as one call of a compile; the graph may fix any of its sizes."""
        named = {name for dims in self.dynamic.values() for name in _names(dims)}
        return Asked("", self.args, {}, dict(self.dynamic), loose=frozenset(named))


def _names(dims: Any) -> Sequence[str]:
    return list(dims.values()) if isinstance(dims, Mapping) else [dims]


def wanted_call(name: str, graph_module: torch.fx.GraphModule, inputs: Sequence[Any]) -> Wanted:
    """The call of a graph, under this name. Raises CaptureError for inputs of other kinds."""
    nodes = placeholders(graph_module)
    args: list[Any] = []
    dynamic: dict[str, Any] = {}
    for node, given in zip(nodes, inputs, strict=True):
        known = node.meta["example_value"]
        if isinstance(given, torch.Tensor):
            args.append(plain(given))
            dims = {dim: _symbol(known, dim, size) for dim, size in enumerate(known.shape)}
            named = {dim: symbol for dim, symbol in dims.items() if symbol}
            if named:
                dynamic[node.name] = named
        elif isinstance(given, (int, torch.SymInt)):
            args.append(symbolic.symbolic_hint(given))
            if symbolic.varies(known) and args[-1] >= _LEAST:
                dynamic[node.name] = str(symbolic.symbolic_expression(known))
        else:
            raise CaptureError(
                f"The graph takes a {type(given).__name__} as {node.name}, which is neither a "
                "tensor nor a whole number.",
                "Pass it as a tensor.",
            )
    return Wanted(_named(name, nodes, graph_module), tuple(args), dynamic)


_LEAST = 2  # from here on a size may vary


def _symbol(tensor: torch.Tensor, dim: int, size: Any) -> str:
    """What a size of a fake tensor is called; one that follows from others has its own name."""
    if not symbolic.varies(size) or symbolic.symbolic_hint(size) < _LEAST:
        return ""
    expression = symbolic.symbolic_expression(size)
    if expression.is_Symbol:
        return str(expression)
    return "_".join(sorted(map(str, expression.free_symbols))) + f"_{dim}_of_{tensor.dim()}"


def placeholders(graph_module: torch.fx.GraphModule) -> list[torch.fx.Node]:
    """The inputs of a graph, in order."""
    return [node for node in graph_module.graph.nodes if node.op == "placeholder"]


def plain(value: Any) -> Any:
    """A weight as the tensor that it is: Dynamo has decided that nothing wants its gradient."""
    return value.detach() if type(value) is torch.nn.Parameter else value


def _named(
    name: str, nodes: Sequence[torch.fx.Node], graph_module: torch.fx.GraphModule
) -> Callable[..., Any]:
    """The graph as a function of this name, whose arguments are called as the graph calls them."""
    call = functools.partial(straight.interpret, graph_module)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

    def function(*inputs: Any) -> Any:
        return call(*inputs)

    function.__name__ = function.__qualname__ = name
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(node.name, kind) for node in nodes]
    )
    return function
