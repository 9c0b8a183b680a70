"""function of fake values -> the ops that it runs, as a graph.

make_fx of torch.fx.experimental.proxy_tensor, torch._functorch; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from . import ops, tensor_kinds


def retrace(
    function: Callable[..., Any], values: Sequence[Any], *, is_whole: bool = False
) -> torch.fx.GraphModule:
    """The ops that a function of fake values runs, as a graph over the same sizes.

    Modes that are on while it runs, autocast or vmap, are in the ops afterwards; composite ops
    become what they are made of, as in AOTAutograd. Only a graph that ``is_whole`` may hold
    tensors.
    """
    from torch._dispatch.python import enable_python_dispatcher
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.traceback import preserve_node_meta

    fakes = [v for v in values if hasattr(v, "fake_mode")]
    mode = fakes[0].fake_mode if fakes else contextlib.nullcontext()
    with torch.no_grad(), mode, enable_python_dispatcher(), preserve_node_meta():
        traced = make_fx(function)(*values)
    for node in traced.graph.nodes:
        held = getattr(traced, str(node.target), None) if node.op == "get_attr" else None
        if isinstance(held, torch.Tensor):
            known = _known(held)
            if is_whole and not tensor_kinds.is_fake(known):
                setattr(traced, str(node.target), known)
            else:
                _write_out(traced, node, held)
    return traced


def _known(held: torch.Tensor) -> torch.Tensor:
    """The tensor that a fake one stands for, where it is known to stand for one."""
    value = getattr(held, "constant", None)
    return value if isinstance(value, torch.Tensor) else held


def _write_out(traced: torch.fx.GraphModule, node: torch.fx.Node, held: torch.Tensor) -> None:
    """Let a graph make the number that it holds as a tensor: compiled graphs hold none."""
    known = _known(held)
    if known.numel() != 1 or tensor_kinds.is_fake(known):
        raise ValueError(f"it makes a constant of shape {tuple(held.shape)} as it runs")
    options: dict[str, Any] = {"dtype": known.dtype, "device": known.device}
    with traced.graph.inserting_before(node):
        full = torch.ops.aten.full.default
        made = traced.graph.call_function(full, (list(known.shape), known.item()), options)
    made.meta = dict(node.meta)
    made.meta["val"] = node.meta.get("val", held)
    node.replace_all_uses_with(made)
    traced.graph.erase_node(node)


# Ops that take graphs and that eager mode runs as a fixed sequence of ops, the loops unrolled.
_UNROLLED = ("flex_attention", "scan", "map_impl", "associative_scan")


def eager_implementation(target: Any) -> Callable[..., Any] | None:
    """What eager mode runs for an op that takes graphs, None for all others (seen on 2.13)."""
    if not ops.is_higher_order(target) or target.name() not in _UNROLLED:
        return None
    kernels: dict[Any, Callable[..., Any]] = target.py_kernels
    return kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)


def end_of_transform(begin: Any) -> Callable[[], Any]:
    """What ends a transform of functions that ``_vmap_increment_nesting``, say, has begun.

    They are in `torch._functorch.predispatch`.
    """
    name = begin.__name__.replace("increment", "decrement")
    end: Callable[[], Any] = getattr(sys.modules[begin.__module__], name)
    return end
