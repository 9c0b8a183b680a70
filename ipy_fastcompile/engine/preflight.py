"""model + call -> the same, or a CaptureError: what no compiled function can be made of.

Looked for before the capture, where that is possible: training mode, several devices, gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .. import torch_internals
from ..errors import CaptureError


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    for leaf in torch_internals.flatten_tree(tree)[0]:
        if isinstance(leaf, torch.Tensor):
            yield leaf


_DROPOUT = (
    torch.nn.Dropout,
    torch.nn.Dropout1d,
    torch.nn.Dropout2d,
    torch.nn.Dropout3d,
    torch.nn.AlphaDropout,
    torch.nn.FeatureAlphaDropout,
)
_BATCH_NORM = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


def check_mode(module: torch.nn.Module) -> None:
    """Refuse what would draw random numbers or update statistics at every call."""
    moving = []
    for name, child in module.named_modules():
        if not child.training:
            continue
        if isinstance(child, _DROPOUT) and child.p > 0:
            moving.append(f"{name or type(child).__name__} (dropout {child.p})")
        elif isinstance(child, _BATCH_NORM):
            moving.append(f"{name or type(child).__name__} (batch statistics)")
    if moving:
        raise _is_training(moving)


def _is_training(moving: Sequence[str]) -> CaptureError:
    shown = ", ".join(moving[:3]) + (f" and {len(moving) - 3} more" if len(moving) > 3 else "")
    return CaptureError(
        f"The model is in training mode, so {shown} would change with every call.",
        "Call model.eval() first: dropout is then frozen to the identity and batch norm to "
        "its running statistics.",
        layers=tuple(moving),
    )


def check_dropout(graph: torch.fx.Graph) -> None:
    """Refuse dropout that a model calls as a function, with ``training=True``."""
    dropout = torch.ops.aten.dropout.default
    moving = [
        f"dropout {node.args[1]} ({_last_line(node)})"
        for node in graph.nodes
        if node.target is dropout and node.args[2] is True and node.args[1]
    ]
    if moving:
        raise _is_training(moving)


def _last_line(node: torch.fx.Node) -> str:
    lines = str(node.meta.get("stack_trace") or "").strip().splitlines()
    return lines[-1].strip() if lines else node.name


def check_devices(module: torch.nn.Module, args: Any, kwargs: Any) -> None:
    """Refuse a model and arguments that are on several devices, naming one tensor on each."""
    places: dict[str, str] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        places.setdefault(str(tensor.device), name)
    for position, tensor in enumerate(_tensors((args, kwargs))):
        if tensor.dim() or str(tensor.device) in places or tensor.device.type != "cpu":
            places.setdefault(str(tensor.device), f"argument {position}")
    if len(places) > 1:
        where = "; ".join(f"{name} on {device}" for device, name in places.items())
        raise CaptureError(
            f"Model and arguments are on several devices: {where}.",
            "Move them to one device before compiling.",
            devices=tuple(places),
        )


def check_gradients(args: Any, kwargs: Any) -> None:
    """Refuse arguments that ask for a gradient; compiled functions never record autograd."""
    for position, tensor in enumerate(_tensors((args, kwargs))):
        if tensor.requires_grad and torch.is_grad_enabled():
            raise CaptureError(
                f"Tensor {position} of the call requires a gradient, and so would the outputs.",
                "Compiled functions are for inference: detach it, or compile under no_grad().",
            )
