"""model -> the same after a real call: what it holds, what it wrote to, and the generators.

The comparison with eager runs the model once more than its user asked for; nobody should notice.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ...frozen import frozen
from .generators import generator_states, restore_generators
from .snapshot import Snapshot, restore, spare_iterators, take_snapshot

# Tensors beside the parameters that are copied, smallest first: more than any state, less than
# weights that somebody keeps in buffers.
_MOST = 1 << 30  # bytes


@frozen
class Kept:
    """What a model was before a call, with copies of the tensors that a call may write to."""

    snapshot: Snapshot
    copies: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    generators: dict[str, Any]


def keep(model: Callable[..., Any], *, is_writing: bool = False) -> Kept:
    """Note what ``model`` holds now; its parameters as well where calls write to some of them."""
    snapshot = take_snapshot({"model": model})
    copies, left = [], _MOST
    tensors = list(snapshot.tensors)
    if is_writing:
        tensors += {p for module in snapshot.modules for p in module.parameters()}
    for tensor in sorted(tensors, key=torch.Tensor.nelement):
        left -= tensor.nelement() * tensor.element_size()
        if left < 0:
            break
        if tensor.layout is torch.strided and not tensor.is_meta:
            copies.append((tensor, tensor.detach().clone()))
    return Kept(snapshot, tuple(copies), generator_states())


def put_back(kept: Kept) -> None:
    """Let the model, and the generators, be what they were."""
    restore(kept.snapshot)
    with torch.no_grad():
        for tensor, copy in kept.copies:
            tensor.copy_(copy)
    restore_generators(kept.generators)


@contextlib.contextmanager
def unspent(kept: Kept) -> Iterator[None]:
    """Let the model take from copies of its iterators."""
    spare_iterators(kept.snapshot)
    try:
        yield
    finally:
        restore(kept.snapshot)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Drop what this thread prints: it was printed before, or will be."""
    real = sys.stdout
    if real is None:
        yield
        return
    sys.stdout = _Silent(real, threading.get_ident())
    try:
        yield
    finally:
        if isinstance(sys.stdout, _Silent):
            sys.stdout = real


class _Silent:
    """A stream that drops what one thread writes, and is the real one in all else."""

    def __init__(self, real: Any, thread: int) -> None:
        self._real = real
        self._thread = thread

    def write(self, text: str) -> Any:
        return len(text) if threading.get_ident() == self._thread else self._real.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
