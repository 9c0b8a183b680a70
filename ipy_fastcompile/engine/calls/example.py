"""the arguments of a call -> an example: as they were before the call, or of other sizes."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from ...runtime.containers import with_leaves
from ...runtime.nests import Unknown, flatten
from ...torch_compat import tensor_kinds
from ...verification.check import copied

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Held:
    """The arguments of a call as they are before it, whatever it does to them.

    Tensors are held, not copied: `example` has copies of those that the call wrote to. Which these
    are is known afterwards only, so there is a copy of each while the call runs.
    """

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._held: dict[int, torch.Tensor] = {}
        self._copies: dict[int, tuple[torch.Tensor, int | None]] = {}
        self._call = _each((tuple(args), dict(kwargs)), self._hold)

    def example(self) -> Call:
        """The arguments, once the call was made."""
        held = {id(tensor): tensor for tensor in self._held.values()}
        written = {
            key: copy
            for key, (copy, version) in self._copies.items()
            if version is None or tensor_kinds.writes_to(held[key]) != version
        }
        self._held, self._copies = {}, {}
        if not written:
            return self._call
        return _each(self._call, lambda leaf, _: written.get(id(leaf), leaf))

    def _hold(self, leaf: Any, _: str) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if id(leaf) not in self._held:
            # Without the graph that autograd may have behind it.
            held = leaf.detach() if leaf.requires_grad else leaf
            self._held[id(leaf)] = held
            self._copies[id(held)] = copied(held), tensor_kinds.writes_to(held)
        return self._held[id(leaf)]


def resized(
    call: Call, signature: inspect.Signature, sizes: Mapping[tuple[str, int | None], int]
) -> Call:
    """The call with other ``sizes``, by the way to a tensor and its dimension, or to a number.

    A tensor that grows repeats what it holds, so that its values stay those of its kind.
    """

    def change(leaf: Any, path: str) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return sizes.get((path, None), leaf)
        for dim, size in enumerate(leaf.shape):
            wanted = sizes.get((path, dim), size)
            if wanted != size:
                order = torch.arange(wanted, device=leaf.device) % max(size, 1)
                shape = [wanted if d == dim else n for d, n in enumerate(leaf.shape)]
                leaf = leaf.index_select(dim, order) if size else leaf.new_zeros(shape)
        return leaf

    with torch.no_grad():
        return _each(call, change, _positional_paths(signature))


def _positional_paths(signature: inspect.Signature) -> Iterator[str]:
    """The way to each positional argument that a function may be given."""
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            number = 0
            while True:
                yield f"{name}[{number}]"
                number += 1
        yield name


def _each(
    call: Call, change: Callable[[Any, str], Any], paths: Iterable[str] = itertools.repeat("")
) -> Call:
    """The call with all leaves changed; ``paths`` are the ways to its positional arguments."""
    args, kwargs = call
    return (
        tuple(_changed(value, change, path) for path, value in zip(paths, args, strict=False)),
        {name: _changed(value, change, name) for name, value in kwargs.items()},
    )


def _changed(value: Any, change: Callable[[Any, str], Any], path: str) -> Any:
    """The value with its leaves changed; what cannot be taken apart is as it was."""
    try:
        flatten(value)
    except Unknown:
        return value
    return with_leaves(value, change, path)
