"""tensors that share memory -> fine, or an error that names both.

The graph of a model knows a tied weight under one of its names, and takes tensors that it writes to
for apart from all others. Both hold for the model that was compiled; another one may differ.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from ..artifact.schema import Tie
from ..errors import InputError, ParameterError
from . import plain
from .parameters import Found, Lookup
from .places import Place


def find_ties(
    lookup: Lookup,
    found: Found,
    names: Sequence[str],
    ties: Iterable[Tie],
    written: Iterable[str],
) -> Found:
    """The tensors that are tied to those that were bound, and their places.

    ``ties`` say which they were when the model was compiled. Raises ParameterError naming both
    where they are apart now. In a mapping, copies with equal values pass unless the call writes to
    them.
    """
    bound = dict(zip(names, found.tensors, strict=True))
    tensors: list[torch.Tensor] = []
    places: list[Place | None] = []
    for name, other, offset, shape in ties:
        tensor, place = lookup.get(other)
        if tensor is None:
            continue
        known = part_of(bound[name], offset, shape)
        if not _is_same(tensor, known):
            if lookup.root is None and name not in written and _is_equal(tensor, known):
                continue
            raise ParameterError(
                f"{name} and {other} were one memory when the model was compiled, and are two now.",
                "Tie them again, or compile the model as it is.",
                name=name,
                expected=f"tied to {other}",
                found="apart",
            )
        tensors.append(known)
        places.append(place)
    return Found(tensors, places)


def part_of(tensor: torch.Tensor, offset: int, shape: Sequence[int] | None) -> torch.Tensor:
    """The elements of a contiguous tensor from ``offset`` on, in another shape; None for all."""
    if shape is None:
        return tensor
    count = torch.Size(shape).numel()
    return tensor.view(-1)[offset : offset + count].view(tuple(shape))


def _is_same(tensor: torch.Tensor, known: torch.Tensor) -> bool:
    return (
        (plain.is_plain(tensor) or plain.find_flaw(tensor) is None)
        and tensor.data_ptr() == known.data_ptr()
        and tensor.dtype is known.dtype
        and tensor.shape == known.shape
        and tensor.stride() == known.stride()
    )


def _is_equal(tensor: torch.Tensor, known: torch.Tensor) -> bool:
    return (
        plain.find_flaw(tensor) is None
        and tensor.dtype is known.dtype
        and tensor.device == known.device
        and torch.equal(tensor, known)
    )


def check_apart(
    names: Sequence[str], tensors: Sequence[torch.Tensor], written: Iterable[str]
) -> None:
    """Refuse a tensor that the call writes to and that shares memory with another one.

    Raises ParameterError naming both.
    """
    changing = frozenset(written)
    if not changing:
        return
    rows = sorted((*plain.extent(t), name) for name, t in zip(names, tensors, strict=True))
    reach, holder, reach_changing, changing_holder = 0, "", 0, ""
    for start, end, name in rows:
        if start == end:
            continue
        clash = changing_holder if start < reach_changing else ""
        clash = clash or (holder if name in changing and start < reach else "")
        if clash:
            raise ParameterError(
                f"{clash} and {name} share memory, and the model writes to "
                f"{name if name in changing else clash}; they were apart when it was compiled.",
                "Give each of them memory of its own, with clone().",
                name=name,
                expected=f"apart from {clash}",
                found=f"shared with {clash}",
            )
        if end > reach:
            reach, holder = end, name
        if name in changing and end > reach_changing:
            reach_changing, changing_holder = end, name


class Apart:
    """Inputs of a call beside the tensors of the model, where the call writes to any of them.

    ``tensors`` are aliases of the model's, which count writes together with them.
    """

    def __init__(
        self,
        names: Sequence[str],
        tensors: Sequence[torch.Tensor],
        written: Iterable[str],
        paths: Sequence[str],
        written_inputs: Iterable[int],
    ) -> None:
        changing = frozenset(written)
        rows = [(*plain.extent(t), name) for name, t in zip(names, tensors, strict=True)]
        self._all = _Regions(rows)
        self._changing = _Regions([row for row in rows if row[2] in changing])
        self._written = [t for name, t in zip(names, tensors, strict=True) if name in changing]
        self._written_inputs = frozenset(written_inputs)
        self._paths = paths

    def tell_autograd(self, leaves: Sequence[Any]) -> None:
        """Count the writes to come, as an op in place counts its own; kernels do not.

        A backward that kept one of these tensors raises then, and takes no other values for its.
        """
        torch.autograd.graph.increment_version(
            [*self._written, *(leaves[position] for position in self._written_inputs)]
        )

    def check(self, leaves: Sequence[Any]) -> None:
        """Raises InputError naming an input and the tensor of the model that it shares."""
        for position, path in enumerate(self._paths):
            leaf = leaves[position]
            if not isinstance(leaf, torch.Tensor):
                continue
            writes = position in self._written_inputs
            name = (self._all if writes else self._changing).at(*plain.extent(leaf))
            if name:
                raise InputError(
                    f"Argument {path} shares memory with {name} of the model, and the model writes "
                    f"to {'its argument' if writes else name}; they were apart when it was "
                    "compiled.",
                    "Pass a clone of the argument.",
                    argument=path,
                    expected=f"apart from {name}",
                    found=f"shared with {name}",
                )


class _Regions:
    """Regions of memory with names; those that overlap count as one."""

    def __init__(self, rows: Iterable[tuple[int, int, str]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._names: list[str] = []
        for start, end, name in sorted(rows):
            if start == end:
                continue
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
                continue
            self._starts.append(start)
            self._ends.append(end)
            self._names.append(name)

    def at(self, start: int, end: int) -> str:
        """The name of a region that a stretch of memory touches; "" for none."""
        if start == end:
            return ""
        position = bisect_right(self._starts, end - 1) - 1
        return self._names[position] if position >= 0 and self._ends[position] > start else ""
