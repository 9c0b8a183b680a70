"""torch.export's `Dim`, its hints and what is derived from it -> which of these, of what."""

from __future__ import annotations

from typing import Any

import sympy
import torch

from ...errors import CallError
from .expressions import solve_linear

STATIC = torch.export.Dim.STATIC
AUTO = torch.export.Dim.AUTO


def root_of(dim: Any) -> tuple[str, int, int]:
    """Name, factor and offset of a `Dim`: ``("k", 2, 1)`` for ``2*k + 1``."""
    if not is_derived(dim):
        return str(dim.__name__), 1, 0
    name = str(dim.root.__name__)
    solved = solve_linear(sympy.expand(dim.fn(sympy.Symbol(name, integer=True))))
    if solved is None:  # torch.export derives sizes by factors and offsets only
        raise CallError(f"The size {dim.__name__} is derived in no way that is known.", "Name it.")
    return name, solved[1], solved[2]


def is_hint(value: Any) -> bool:
    """Whether it is one of `Dim.AUTO`, `Dim.DYNAMIC` and `Dim.STATIC`."""
    return isinstance(value, type(STATIC))


def is_auto(value: Any) -> bool:
    """Whether it leaves to torch.export if a size varies."""
    return value == "auto" or (is_hint(value) and value.type == AUTO.type)


def is_dim(value: Any) -> bool:
    """Whether it is a `torch.export.Dim`, or derived from one."""
    return isinstance(getattr(value, "__name__", None), str) and hasattr(value, "min")


def is_derived(value: Any) -> bool:
    """Whether it is a `Dim` such as ``2*Dim("k")``."""
    return hasattr(value, "root")
