"""A split graph and its kernels, as plain data: what `lower` makes and later stages read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...explained import NOT_RECORDED, Explained
from ...records import NearTwin
from ...torch_compat.compiled import CompiledParts
from ..graph.split import SplitGraph
from ..graph.twins import Description
from ..sizes.conditions import Condition
from .memories import Layout
from .native import NativeKernel

# ((name of a dynamic dimension, its size), ...)
Variant = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Kernel:
    """The compiled form of one or several submodules.

    ``data`` is the artifact of `standalone_compile(aot=True)`, ``parts`` what is inside it, and
    ``native`` its output code rewritten for the native path, or None with the reason in ``why``.
    ``exact`` are the positions of what it returns laid out as the graph says, at every size.
    ``sizes`` holds further kernels for fixed sizes: {(("seq", 1),): Kernel}. ``explained`` is what
    was recorded of the compile.
    """

    index: int
    digest: str
    submodules: tuple[int, ...]
    data: bytes
    parts: CompiledParts
    native: NativeKernel | None
    why: str
    seconds: float
    near_twin: NearTwin | None
    exact: frozenset[int]
    sizes: Mapping[Variant, Kernel]
    explained: Explained = NOT_RECORDED


# The digest of what a kernel computes, and which of its inputs are weights: its text trusts them.
Key = tuple[str, frozenset[int]]


@dataclass(frozen=True)
class Reusable:
    """A kernel, the sizes in the graph it was compiled from, and the guards that it relies on."""

    kernel: Kernel
    sizes: tuple[Any, ...]
    guards: tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Lowered:
    """Kernels, and which of them each submodule runs; None for inlined submodules."""

    split: SplitGraph
    kernels: tuple[Kernel, ...]
    kernel_of: tuple[int | None, ...]
    descriptions: tuple[Description, ...]
    failures: Mapping[int, str]  # submodules that Inductor refused and that run inlined instead
    refused: Mapping[str, str]  # nodes of the captured graph that were refused: set them apart
    conditions: tuple[Condition, ...]  # on sizes: of the graph, and what the kernels add to them
    of_data: tuple[Condition, ...] = ()  # on sizes that depend on values; kernels check them
    reusable: Mapping[Key, Reusable] = field(default_factory=dict)  # by other programs
    views: Mapping[str, Layout] = field(default_factory=dict)  # of placeholders, for native kernels

    def __repr__(self) -> str:
        return f"<{self.split.captured.model_name} lowered, {len(self.kernels)} kernels>"

    def __str__(self) -> str:
        lines = [f"{self.split.captured.model_name}: {len(self.kernels)} kernels"]
        for kernel in self.kernels:
            names = ", ".join(self.split.submodules[n].name for n in kernel.submodules)
            way = "native" if kernel.native is not None else f"not native ({kernel.why})"
            lines.append(f"  kernel {kernel.index}  {way}  {names}")
        return "\n".join(lines)
