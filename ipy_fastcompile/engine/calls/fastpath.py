"""modules -> those whose padded positions are zeros in eager, and numbers in a compiled call.

In evaluation mode, without gradients, `torch.nn.TransformerEncoder` leaves out padded positions by
way of nested tensors, which no capture sees: export takes the ordinary path.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch


def takes_fast_path(module: torch.nn.Module) -> bool:
    """Whether eager leaves out padded positions in a call of this module that has a mask."""
    return (
        isinstance(module, torch.nn.TransformerEncoder)
        and bool(module.enable_nested_tensor and module.use_nested_tensor)
        and not module.training
        and torch.backends.mha.get_fastpath_enabled()
    )


@contextlib.contextmanager
def noticed_padding(modules: Iterable[torch.nn.Module]) -> Iterator[list[str]]:
    """A list that gets an entry for every such module that is called with a mask of padding."""
    found: list[str] = []

    def hook(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        mask = args[2] if len(args) > 2 else kwargs.get("src_key_padding_mask")
        if mask is not None:
            found.append(type(module).__name__)

    encoders = {inner for module in modules for inner in module.modules() if takes_fast_path(inner)}
    handles = [e.register_forward_pre_hook(hook, with_kwargs=True) for e in encoders]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
