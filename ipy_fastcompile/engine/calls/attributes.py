"""tensor of a call or a model -> the plain attributes that somebody put on it, for another one.

A model may decide by ``getattr(x, "is_causal", False)``. The tensors that it is captured with are
others than the caller's and its own; they are given the same attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...torch_compat.module_tables import MARK_OF_DYNAMO
from .holders import PLAIN


def attributes_of(leaf: Any) -> dict[str, Any]:
    """The attributes of a tensor that are plain values, but for those that torch put there."""
    if not isinstance(leaf, torch.Tensor) or not vars(leaf):
        return {}
    return {
        name: value
        for name, value in vars(leaf).items()
        if isinstance(value, PLAIN) and MARK_OF_DYNAMO not in name
    }


def with_attributes(leaf: Any, original: Any) -> Any:
    """A leaf with the attributes of the one that it stands for."""
    if isinstance(leaf, torch.Tensor) and leaf is not original:
        _put(leaf, attributes_of(original))
    return leaf


# The way to a tensor of a model, and what is on it.
Attributes = list[tuple[str, dict[str, Any]]]


def attributes_within(module: torch.nn.Module) -> Attributes:
    """What was put on the parameters and buffers of a module."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return [(name, found) for name, tensor in named if (found := attributes_of(tensor))]


def put_attributes(module: torch.nn.Module, attributes: Attributes) -> None:
    """Put the same on the tensors that stand in the places of those."""
    for path, named in attributes:
        owner, _, name = path.rpartition(".")
        _put(getattr(module.get_submodule(owner), name), named)


def _put(tensor: torch.Tensor, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        vars(tensor).setdefault(name, value)


def note_on(attributes: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What the report says of the attributes of arguments: no call is checked for them."""
    return tuple(
        f"The graph is that of a call whose {path} has "
        + ", ".join(f"{name}={value!r:.40}" for name, value in named.items())
        + ": attributes that no later call is checked for."
        for path, named in attributes.items()
    )
