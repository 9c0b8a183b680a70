"""split FX graph + kernels -> forward: what the `fx` path runs, a GraphModule calling children."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..artifact.schema import Program


class _KernelModule(torch.nn.Module):
    """A kernel in the place of the submodule it was compiled from."""

    def __init__(self, kernel: Callable[..., Any]) -> None:
        super().__init__()
        self._kernel = kernel

    def forward(self, *args: Any) -> Any:
        return self._kernel(*args)


def stitched_forward(
    graph_module: torch.fx.GraphModule,
    program: Program,
    kernels: Sequence[Callable[..., Any]],
    parameters: Sequence[torch.Tensor],
) -> Callable[..., tuple[Any, ...]]:
    """``forward`` with the meaning of the execution code's, through the GraphModule.

    The graph's placeholders are all parameters, those that nothing uses included, and the inputs;
    the sizes that the execution code's ``forward`` takes are computed by the graph itself.
    """
    for name, kernel in program.stitched.items():
        graph_module.add_module(name, _KernelModule(kernels[kernel]))
    used = iter(parameters)
    order: list[tuple[bool, Any]] = []
    position = 0
    for mark in program.signature.placeholders:
        if mark == "parameter":
            order.append((True, next(used)))
        elif mark == "input":
            order.append((False, position))
            position += 1
        else:
            order.append((True, None))

    def forward(*leaves: Any) -> tuple[Any, ...]:
        arguments = [value if fixed else leaves[value] for fixed, value in order]
        return tuple(graph_module(*arguments))

    return forward
