"""FX graph -> bytes and back (torch.fx._graph_pickler; seen on 2.11 and 2.13)."""

from __future__ import annotations

from typing import Any, cast

import torch


def serialize_graph(graph_module: torch.fx.GraphModule) -> bytes:
    """An FX graph, its submodules and the fake values of its nodes, as bytes."""
    from torch.fx._graph_pickler import GraphPickler, Options

    return GraphPickler.dumps(graph_module, Options(ops_filter=None))


def why_not_stored(value: Any) -> str:
    """What the pickler of graphs says of one value of a node; nothing where it takes it."""
    from torch.fx._graph_pickler import GraphPickler, Options

    try:
        GraphPickler.dumps(value, Options(ops_filter=None))
    except Exception as error:  # noqa: BLE001 - it calls what the value brings to be pickled
        return f"{type(error).__name__}: {str(error).strip():.200}"
    return ""


def without_base(value: Any) -> Any:
    """A fake value that is no view of another one: the pickler takes no tensor's fake mode.

    `torch.fx.experimental.proxy_tensor.snapshot_fake` (seen on 2.11 and 2.13).
    """
    from torch._subclasses import FakeTensor
    from torch.fx.experimental.proxy_tensor import snapshot_fake

    if isinstance(value, FakeTensor):
        return snapshot_fake(value) if value._is_view() else value
    if type(value) in (tuple, list):
        return type(value)(map(without_base, value))
    return value


def deserialize_graph(data: bytes) -> torch.fx.GraphModule:
    """The FX graph that `serialize_graph` wrote, in a fresh fake mode."""
    from torch._subclasses import FakeTensorMode
    from torch.fx._graph_pickler import GraphPickler
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    graph_module: Any = GraphPickler.loads(data, FakeTensorMode(shape_env=ShapeEnv()))
    graph_module.recompile()
    return cast("torch.fx.GraphModule", graph_module)
