"""graph -> a module that writes its code when that is asked for.

torch.fx._lazy_graph_module; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


def lazy_graph_module(
    root: torch.nn.Module, graph: torch.fx.Graph, name: str
) -> torch.fx.GraphModule:
    """A GraphModule that writes its code when that is asked for, or when it is called.

    An ordinary one writes it when it is made, each time it changes, and each time that a parent is
    made or changes.
    """
    from torch.fx._lazy_graph_module import _LazyGraphModule

    return _LazyGraphModule(root, graph, name)


@contextlib.contextmanager
def lazy_graph_modules() -> Iterator[None]:
    """The same for all that torch makes meanwhile: export's passes change a graph a dozen times."""
    from torch.fx._lazy_graph_module import _use_lazy_graph_module

    with _use_lazy_graph_module(True):
        yield
