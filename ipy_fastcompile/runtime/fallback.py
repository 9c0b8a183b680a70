"""FX graph + kernel entry -> a kernel compiled on this machine: the fallback of a misfit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..artifact.schema import KernelEntry
from ..torch_compat import inductor


def recompile(graph_module: torch.fx.GraphModule, entry: KernelEntry) -> Callable[..., Any]:
    """Compile the submodule that a kernel was made from, with Inductor, here and now."""
    submodule = getattr(graph_module, entry.submodule)
    inputs = [n.meta["val"] for n in submodule.graph.nodes if n.op == "placeholder"]
    data = inductor.compile_submodule(submodule, inputs, entry.digest)
    return inductor.deserialize_kernel(data)
