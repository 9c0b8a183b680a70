"""Values in a graph -> Python source that evaluates to exactly them, or a slot of the constants.

``repr()`` is never asked what a value is: vLLM's generator did, and wrote text that fails when it
runs (vllm-project/vllm#40726). Every type is written out by its own rule, a tensor goes to the
table of constants, and what has no rule is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node
from torch.fx.immutable_collections import immutable_dict, immutable_list

from ...errors import CodegenError
from ...torch_compat import symbolic

NameOf = Callable[[Node], str]
# Longer integers are written in hexadecimal, which Python reads at any length.
_DECIMAL_BITS = 256
_OF_TORCH = (torch.dtype, torch.layout, torch.memory_format, torch.qscheme)


class Constants:
    """The table of values that have no literal, by index. Tensors only; stored as data."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []

    def add(self, tensor: torch.Tensor) -> int:
        """The slot of a tensor; the same tensor gets the same slot."""
        for position, known in enumerate(self.tensors):
            if known is tensor:
                return position
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def write_value(
    value: Any, name_of: NameOf, where: str, constant: Callable[[torch.Tensor], str] | None = None
) -> str:
    """Source text of an argument.

    Parameters
    ----------
    name_of:
        The name of a node's value.
    where:
        The node or argument that has the value, for the error.
    constant:
        The name of a tensor in the table of constants. Without it tensors are refused.

    Raises `CodegenError` for a value that has no exact source text.
    """

    def write(item: Any) -> str:
        return write_value(item, name_of, where, constant)

    if isinstance(value, Node):
        return name_of(value)
    scalar = _write_scalar(value)
    if scalar:
        return scalar
    if isinstance(value, slice):
        return f"slice({write(value.start)}, {write(value.stop)}, {write(value.step)})"
    if type(value) is range:
        return f"range({value.start}, {value.stop}, {value.step})"
    if type(value) in (tuple, torch.Size):
        return write_tuple(map(write, value))
    if type(value) in (list, immutable_list):
        return f"[{', '.join(map(write, value))}]"
    if type(value) in (dict, immutable_dict):
        return "{" + ", ".join(f"{write(k)}: {write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, _OF_TORCH):
        return str(value)
    if isinstance(value, torch.device):
        return f"torch.device({write_string(str(value))})"
    if isinstance(value, torch.Tensor) and constant is not None:
        return constant(value)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        plain = value.item()  # a NumPy scalar is the Python number of the same value
        if isinstance(plain, (bool, int, float, complex, str, bytes)):
            return write(plain)
    raise _no_source(value, where)


def write_tuple(texts: Any) -> str:
    """``()``, ``(a,)``, ``(a, b)``."""
    items = list(texts)
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def write_string(text: str) -> str:
    """``"text"``, in ASCII and in double quotes, where that needs no further backslashes."""
    return _double_quoted(ascii(str.__str__(text)))


def _double_quoted(literal: str) -> str:
    start = literal.index(literal[-1])
    inside = literal[start + 1 : -1]
    return literal if '"' in inside else f'{literal[:start]}"{inside}"'


def _write_scalar(value: Any) -> str:
    """A number, string or singleton; empty for everything else."""
    if value is None or value is Ellipsis or value is True or value is False:
        return "..." if value is Ellipsis else str(value)
    if symbolic.is_symbolic_int(value):
        return ""
    if isinstance(value, int):  # IntEnum and the like are the number they stand for
        number = int(value)
        return str(number) if number.bit_length() <= _DECIMAL_BITS else hex(number)
    if isinstance(value, float):
        return _write_float(float(value))
    if isinstance(value, complex):
        return f"complex({_write_float(value.real)}, {_write_float(value.imag)})"
    if isinstance(value, str):
        return write_string(value)
    if isinstance(value, bytes):
        return _double_quoted(bytes.__repr__(value))
    return ""


def _write_float(value: float) -> str:
    if math.isnan(value):
        return 'float("nan")'
    if math.isinf(value):
        return 'float("inf")' if value > 0 else 'float("-inf")'
    return float.__repr__(value)


def _no_source(value: Any, where: str) -> CodegenError:
    what = f"a {type(value).__name__}, which has no exact Python source"
    if isinstance(value, torch.Generator):
        what = "a random number generator, whose state is not part of a graph"
    elif symbolic.is_symbolic_int(value):
        what = f"the size {value}, which no node of the graph computes"
    return CodegenError(
        f"{where} is {what}.",
        "Keep the op that takes it inside a compiled submodule by changing split_at.",
        where=where,
    )
