"""ExecutionCode + sizes -> what is alive after each line, and the most that is alive while it runs.

Counted are the storages of intermediate values that ``forward`` holds; inputs and parameters belong
to the caller. Values that share a storage count once. What a kernel or an inlined function holds
for itself while it runs comes from `memory.call_memory`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...records import Size
from ...torch_compat import symbolic, tensor_kinds
from ..kernels.lowered import Lowered
from ..sizes.expressions import example_of
from .codegen import ExecutionCode
from .memory import CallMemory, call_memory
from .writer import CodeLine


@dataclass(frozen=True)
class LineState:
    """A line and what is alive after it, in bytes at the sizes asked for.

    ``live`` is the same as an expression over the symbolic sizes; ``freed_bytes`` is what the line
    freed; ``peak_bytes`` is the most that is alive while it runs.
    """

    live_bytes: int = 0
    live: str = "0"
    freed_bytes: int = 0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Liveness:
    """The state of every line, the largest peak, and which calls are known by their values only."""

    lines: tuple[LineState, ...]
    unknown: tuple[str, ...]

    @property
    def peak(self) -> int:
        """The most bytes that are alive at a time."""
        return max((line.peak_bytes for line in self.lines), default=0)


def line_liveness(
    lowered: Lowered,
    code: ExecutionCode,
    sizes: Mapping[str, int],
    size_text: Callable[[Any], Size],
) -> Liveness:
    """What is alive at every line of the execution code, for these symbolic sizes.

    ``size_text`` writes an expression under the user's names.
    """
    names = lowered.split.captured.names
    examples = {symbol: sizes[name] for symbol, name in names.items()}
    memory, unknown = call_memory(lowered, examples)
    book = _Book(lowered, memory, examples)
    states: list[LineState] = []
    for line in code.lines:
        before = book.total
        freed = book.free(line.frees)
        peak = before
        if line.kind == "call" and line.submodule is not None:
            book.define(line)
            inside = memory.get(line.submodule)
            peak = before + inside.peak if inside else book.total
        elif line.kind == "rest":  # it runs with the lines before it
            peak = states[-1].peak_bytes
        states.append(
            LineState(book.total, str(size_text(book.expression)), freed, max(peak, book.total))
        )
    return Liveness(tuple(states), unknown)


class _Book:
    """Storages that forward holds: their bytes, and the names that hold them."""

    def __init__(
        self, lowered: Lowered, memory: Mapping[int, CallMemory], examples: Mapping[Any, int]
    ) -> None:
        nodes = lowered.split.graph_module.graph.nodes
        self.total = 0
        self.expression: Any = 0
        self._values = {n.name: n.meta.get("val") for n in nodes}
        self._submodules = lowered.split.submodules
        self._memory = memory
        self._examples = examples
        # Inputs and parameters have storages that are not counted.
        self._storage: dict[str, Hashable] = {
            n.name: ("outside", n.name) for n in nodes if n.op == "placeholder"
        }
        self._holders: dict[Hashable, set[str]] = {}
        self._bytes: dict[Hashable, tuple[int, Any]] = {}

    def define(self, line: CodeLine) -> None:
        """Note what a call returns."""
        assert line.submodule is not None
        sub = self._submodules[line.submodule]
        memory = self._memory.get(sub.index)
        groups: dict[Hashable, list[str]] = {}
        for position, name in enumerate(sub.outputs):
            if name not in line.defines or not _has_storage(self._values.get(name)):
                continue
            storage = self._place(sub.index, sub.inputs, name, position, memory)
            self._storage[name] = storage
            if not (isinstance(storage, tuple) and storage[0] == "outside"):
                groups.setdefault(storage, []).append(name)
        for storage, names in groups.items():
            if storage not in self._bytes:
                number, expression = self._size(storage, names, memory)
                self._bytes[storage] = (number, expression)
                self.total += number
                self.expression = self.expression + expression
            self._holders.setdefault(storage, set()).update(names)

    def _place(
        self,
        index: int,
        inputs: Sequence[str],
        name: str,
        position: int,
        memory: CallMemory | None,
    ) -> Hashable:
        """Which storage an output lives in."""
        if memory is None or position >= len(memory.outputs):
            return ("fake", tensor_kinds.storage_identity(self._values[name]))
        place = memory.outputs[position]
        if place is None or place >= 0:
            return (index, place)
        source = inputs[-1 - place]
        return self._storage.get(source, ("outside", source))

    def _size(
        self, storage: Hashable, names: Sequence[str], memory: CallMemory | None
    ) -> tuple[int, Any]:
        """Bytes of a storage, as a number and as an expression over the symbolic sizes.

        The expression is that of one value in it, or of all of them side by side, whichever has the
        right number; a storage with gaps or of another layout is known by its number alone.
        """
        own = [_bytes_of(self._values[name]) for name in names]
        largest = max(own, key=self._example)
        if memory is None or not isinstance(storage, tuple) or storage[0] == "fake":
            return self._example(largest), largest
        number = memory.storages[storage[1]]
        for candidate in (largest, sum(own)):
            if self._example(candidate) == number:
                return number, candidate
        return number, number

    def _example(self, size: Any) -> int:
        if not symbolic.is_symbolic_int(size):
            return int(size)
        return example_of(symbolic.symbolic_expression(size), self._examples)

    def free(self, names: Sequence[str]) -> int:
        """Let go of values; how many bytes that freed."""
        freed = 0
        for name in names:
            storage = self._storage.get(name)
            holders = self._holders.get(storage, set())
            holders.discard(name)
            if storage in self._bytes and not holders:
                number, expression = self._bytes.pop(storage)
                freed += number
                self.total -= number
                self.expression = self.expression - expression
        return freed


def _has_storage(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is torch.strided


def _bytes_of(value: Any) -> Any:
    return value.numel() * value.element_size()
