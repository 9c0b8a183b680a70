"""Captured -> its result, op by op: whether a graph is right, without a compile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.torch_compat import trees


def result_of(
    captured: Captured, model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
) -> list[Any]:
    """The leaves that the graph gives for this call, with the model's own weights."""
    owner = model if isinstance(model, torch.nn.Module) else getattr(model, "__self__", None)
    leaves = trees.flatten_tree((args, dict(kwargs or {})))[0]
    given = dict(zip((spec.placeholder for spec in captured.inputs), leaves, strict=True))
    for spec in captured.parameters:
        stored = captured.constants.get(spec.name)
        given[spec.placeholder] = tensor_at(owner, spec.name) if stored is None else stored
    order = [n.name for n in captured.graph_module.graph.nodes if n.op == "placeholder"]
    with torch.no_grad():
        return list(captured.graph_module(*(given[name] for name in order)))


def tensor_at(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def assert_captures_right(
    call: Callable[..., Any], *args: Any, kwargs: Mapping[str, Any] | None = None
) -> Captured:
    """Capture a call, and compare what the graph gives with what the call itself gives."""
    captured = capture(call, args, kwargs)
    found = result_of(captured, call, args, kwargs)
    with torch.no_grad():
        expected = trees.flatten_tree(call(*args, **(kwargs or {})))[0]
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a)
    return captured
