"""Values in a graph -> Python source that evaluates to exactly them, or a slot of the constants.

``repr()`` is used for ints, bools, None, strings and bytes only, whose repr is a literal by the
language reference; everything else is written out by type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from ..errors import CodegenError


class Constants:
    """The indexed table of values that have no literal: ``constants[3]``. Tensors only."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []

    def add(self, tensor: torch.Tensor) -> str:
        """The source text for a tensor; the same tensor gets the same slot."""
        for position, known in enumerate(self.tensors):
            if known is tensor:
                return f"constants[{position}]"
        self.tensors.append(tensor)
        return f"constants[{len(self.tensors) - 1}]"


def write_value(value: Any, name_of: Callable[[Node], str], constants: Constants, where: str) -> str:
    """Source text of an argument. ``where`` names the node, for the error.

    Raises `CodegenError` for a value that has no exact source text and is not a tensor.
    """

    def write(item: Any) -> str:
        return write_value(item, name_of, constants, where)

    if isinstance(value, Node):
        return name_of(value)
    if value is None or value is Ellipsis or isinstance(value, (bool, str, bytes)):
        return "..." if value is Ellipsis else repr(_plain(value))
    if type(value) is int:
        return repr(value)
    if type(value) is float:
        return _write_float(value)
    if type(value) is complex:
        return f"complex({_write_float(value.real)}, {_write_float(value.imag)})"
    if isinstance(value, slice):
        return f"slice({write(value.start)}, {write(value.stop)}, {write(value.step)})"
    if isinstance(value, torch.Size) or type(value) is tuple:
        return "(" + "".join(f"{write(v)}, " for v in value).rstrip(" ") + ")"
    if type(value) is list or isinstance(value, torch.fx.immutable_collections.immutable_list):
        return "[" + ", ".join(map(write, value)) + "]"
    if type(value) is dict or isinstance(value, torch.fx.immutable_collections.immutable_dict):
        return "{" + ", ".join(f"{write(k)}: {write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return str(value)
    if isinstance(value, torch.device):
        return f"torch.device({str(value)!r})"
    if isinstance(value, torch.Tensor):
        return constants.add(value)
    raise CodegenError(
        f"Node {where} has an argument of type {type(value).__name__} ({value!r:.60}), which has no "
        "exact Python source.",
        "Keep the op that takes it inside a compiled submodule by changing split_at.",
        node=where,
    )


def _plain(value: Any) -> Any:
    """A str or bytes subclass as the plain type, whose repr is a literal."""
    for plain in (bool, str, bytes):
        if isinstance(value, plain):
            return plain(value)
    return value


def _write_float(value: float) -> str:
    if math.isnan(value):
        return "float('nan')"
    if math.isinf(value):
        return "float('inf')" if value > 0 else "float('-inf')"
    return float.__repr__(value)

