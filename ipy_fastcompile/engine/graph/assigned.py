"""buffers that a call of a module assigns -> writes into them, as part of the graph.

In eager ``self.buffer = value`` puts another tensor into the module. A compiled function knows the
tensor that was there, so it writes the value into that one, at the end of the call: every name of
the buffer is then what it is in eager. Where no write would do that, the assignment stays one, and
is named with all else that a compiled call leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...torch_compat import module_tables, symbolic, tensor_kinds


class Assigned:
    """The buffers of a module around one call of it, while that is captured."""

    def __init__(self) -> None:
        self._modules: list[torch.nn.Module] = []
        self._before: list[dict[str, Any]] = []
        self._writes: list[tuple[torch.Tensor, torch.Tensor]] = []

    def look(self, module: torch.nn.Module) -> None:
        """Note what the buffers are, before the call."""
        self._modules = list(module.modules())
        self._before = [dict(_buffers_of(inner)) for inner in self._modules]
        self._writes = []

    def take_back(self) -> None:
        """After the call: let the module have its buffers again, where a write will do."""
        for module, before in zip(self._modules, self._before, strict=True):
            buffers = _buffers_of(module)
            for name, old in before.items():
                new = buffers.get(name)
                if new is None or old is None or new is old:
                    continue
                if self._can_be_written(old, new):
                    self._writes.append((old, new))
                    buffers[name] = old

    def write(self, leaves: Sequence[Any]) -> list[Any]:
        """Write what was assigned, and return the leaves of the result as they were before that."""
        written = {tensor_kinds.storage_identity(old) for old, _ in self._writes}
        leaves = [_apart(leaf, written) for leaf in leaves]
        values = [_apart(new, written) for _, new in self._writes]
        for (old, _), value in zip(self._writes, values, strict=True):
            old.copy_(value)
        self._writes = []
        return leaves

    def _can_be_written(self, old: Any, new: Any) -> bool:
        """Whether a tensor of the same kind was assigned, and no other name has the old memory."""
        if not _is_plain(old) or not _is_plain(new) or isinstance(new, torch.nn.Parameter):
            return False
        if any(map(symbolic.is_symbolic_int, (*old.shape, *new.shape))):
            return False
        if (old.shape, old.dtype, old.device) != (new.shape, new.dtype, new.device):
            return False
        held = [t for before in self._before for t in before.values()]
        held += [t for module in self._modules for t in _parameters_of(module).values()]
        memory = [tensor_kinds.storage_identity(t) for t in held if _is_plain(t)]
        return memory.count(tensor_kinds.storage_identity(old)) == 1


def _parameters_of(module: torch.nn.Module) -> dict[str, Any]:
    return module_tables.tables_of(module)[0]


def _buffers_of(module: torch.nn.Module) -> dict[str, Any]:
    return module_tables.tables_of(module)[1]


def _is_plain(value: Any) -> bool:
    """Whether it is a tensor with memory of its own, or a fake one of such."""
    kinds = (torch.Tensor, torch.nn.Parameter)
    is_known = type(value) in kinds or (
        isinstance(value, torch.Tensor) and tensor_kinds.is_fake(value)
    )
    return is_known and value.layout is torch.strided


def _apart(value: Any, written: set[int]) -> Any:
    """The value, copied where it is memory that is about to be written."""
    if not written or not _is_plain(value):
        return value
    return value.clone() if tensor_kinds.storage_identity(value) in written else value
