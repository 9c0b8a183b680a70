"""Program -> made-up inputs that fit its signature, for processes that have no real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..artifact.schema import ExampleOther, ExampleValue, Program
from ..errors import InputError
from .size_values import size_value


def example_inputs(
    program: Program,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    shapes: Sequence[Sequence[int] | int | None] | None = None,
    largest_integer: int = 0,
) -> list[Any]:
    """The leaves of a call like the example's: same dtypes and, unless told otherwise, shapes.

    ``sizes`` replace symbolic sizes by name, also where a dimension follows from them; ``shapes``
    are whole shapes, one a leaf, and the value of a number that counts as a size.

    Integers are zero, which every index and token id allows, or random up to ``largest_integer``;
    booleans are true, as in a mask that keeps everything; floating-point values are random in
    [-1, 1).

    Raises InputError for a leaf that is neither a tensor nor a plain constant.
    """
    generator = torch.Generator().manual_seed(seed)
    leaves: list[Any] = []
    wanted = shapes or [None] * len(program.example)
    for leaf, entry, given in zip(program.example, program.signature.inputs, wanted, strict=True):
        if isinstance(leaf, ExampleValue):
            leaves.append(leaf.value if given is None else given)
            continue
        if isinstance(leaf, ExampleOther):
            raise InputError(
                f"Argument {entry.path} is {leaf.text}, which cannot be made up.",
                "Call the loaded function with your own inputs.",
            )
        shape: Sequence[int] = leaf.shape
        if sizes and entry.dims:
            named = {symbol.name: symbol.example for symbol in program.symbols} | dict(sizes)
            shape = [size_value(size, named) for size in entry.dims]
        if isinstance(given, Sequence):
            shape = list(given)
        stride: Sequence[int] = leaf.strides
        if shape is not leaf.shape:
            stride = _like(stride, leaf.shape, shape)
        dtype = getattr(torch, leaf.dtype)
        tensor = torch.empty_strided(shape, stride, dtype=dtype, device=leaf.device)
        if dtype is torch.bool:
            tensor.fill_(True)
        elif dtype.is_floating_point or dtype.is_complex:
            noise = torch.rand(shape, generator=generator) * 2 - 1
            tensor.copy_(noise)
        else:
            tensor.copy_(torch.randint(0, largest_integer + 1, shape, generator=generator))
        leaves.append(tensor)
    return leaves


def _like(stride: Sequence[int], shape: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Strides of the same dimension order for another shape, without gaps."""
    order = sorted(range(len(shape)), key=lambda i: (stride[i], shape[i]))
    result, step = [0] * len(shape), 1
    for position in order:
        result[position] = step
        step *= max(1, wanted[position])
    return result
