"""program + what Dynamo knows of its inputs -> guards of Dynamo's on all that the program checks.

The ``check_inputs`` of the execution code is run on Dynamo's symbolic sizes: what it asks of them
becomes a guard, of a new program and of one from the cache alike. A call that is not like this one
is then traced again, as it is where Dynamo itself relies on a size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..runtime.loaded import LoadedFunction
from ..runtime.refusals import Misfit


def guard_sizes(function: LoadedFunction, known: Sequence[Any]) -> bool:
    """Whether a program takes such a call; if so, Dynamo now guards on what it relies on.

    ``known`` are the fake tensors and symbolic numbers that Dynamo traced with.
    """
    try:
        function.flat.follower().functions.check_inputs(_Guards(), *known)
    except Misfit:
        return False
    return True


class _Guards:
    """What `check_inputs` calls: the checks of sizes alone. Dynamo guards on all else itself.

    The methods are those of `ipy_fastcompile.runtime.checks.Checks`.
    """

    def constant(self, _path: str, value: Any, expected: Any) -> None:
        _hold(value == expected)

    def tensor(self, _path: str, _value: Any, *_kind: Any) -> None:
        """Its dtype, device, rank and layout are Dynamo's guards already."""

    def number(self, _path: str, value: Any) -> None:
        _hold(value >= 0)

    def size(self, _path: str, _dim: Any, found: Any, expected: Any, _text: str = "") -> None:
        _hold(found == expected)

    def solve(self, _path: str, _dim: Any, found: Any, factor: int, offset: int, _name: str) -> Any:
        _hold((found - offset) % factor == 0)
        return (found - offset) // factor

    def range(
        self, _path: str, _dim: Any, _name: str, found: Any, low: int, high: int | None
    ) -> None:
        _hold(found >= low)
        if high is not None:
            _hold(found <= high)

    def condition(self, holds: Any, *_words: Any) -> None:
        _hold(holds)

    def laid_out(
        self,
        _path: str,
        value: torch.Tensor,
        strides: tuple[Any, ...],
        strict: bool,
        offset: bool,
        _where: str,
    ) -> None:
        for found, expected, size in zip(value.stride(), strides, value.shape, strict=True):
            if strict or size != 1:
                _hold(found == expected)
        if offset:
            _hold(value.storage_offset() == 0)

    def layout(
        self, _path: str, value: torch.Tensor, strides: tuple[Any, ...], mutated: bool
    ) -> torch.Tensor:
        """Where the program may write to it, it cannot be a copy with these strides."""
        for found, expected, size in zip(value.stride(), strides, value.shape, strict=True):
            if mutated and size != 1:
                _hold(found == expected)
        return value

    def separate(self, *_tensors: Any) -> None:
        """Where tensors are in memory is seen at the call, and by no guard."""


def _hold(answer: Any) -> None:
    """Ask, which makes a guard of the answer."""
    if not answer:
        raise Misfit
