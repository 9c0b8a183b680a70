"""Program -> made-up inputs that fit its signature, for processes that have no real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..artifact.schema import Program
from ..errors import InputError
from .size_values import size_value


def example_inputs(
    program: Program,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    shapes: Sequence[Sequence[int] | None] | None = None,
    largest_integer: int = 0,
) -> list[Any]:
    """The leaves of a call like the example's: same dtypes and, unless told otherwise, shapes.

    ``sizes`` replace symbolic sizes by name, also where a dimension follows from them; ``shapes``
    are whole shapes, one a leaf.

    Integers are zero, which every index and token id allows, or random up to ``largest_integer``;
    booleans are true, as in a mask that keeps everything; floating-point values are random in
    [-1, 1).

    Raises InputError for a leaf that is neither a tensor nor a plain constant.
    """
    generator = torch.Generator().manual_seed(seed)
    leaves: list[Any] = []
    wanted = shapes or [None] * len(program.example)
    for row, entry, given in zip(program.example, program.signature["inputs"], wanted, strict=True):
        if row[0] == "float":
            leaves.append(float(row[1]))
            continue
        if row[0] == "value":
            leaves.append(row[1])
            continue
        if row[0] != "tensor":
            raise InputError(
                f"Argument {entry['path']} is {row[1]}, which cannot be made up.",
                "Call the loaded function with your own inputs.",
            )
        _, dtype_name, shape, stride, device = row
        dims = entry.get("dims") or [None] * len(shape)
        if sizes:
            named = {name: example for name, _, _, example in program.symbols} | dict(sizes)
            shape = [
                n if d is None else size_value(d, named) for d, n in zip(dims, shape, strict=True)
            ]
            stride = _like(stride, row[2], shape)
        if given is not None:
            shape = list(given)
            stride = _like(stride, row[2], shape)
        dtype = getattr(torch, dtype_name)
        tensor = torch.empty_strided(shape, stride, dtype=dtype, device=device)
        if dtype is torch.bool:
            tensor.fill_(True)
        elif dtype.is_floating_point or dtype.is_complex:
            noise = torch.rand(shape, generator=generator) * 2 - 1
            tensor.copy_(noise)
        else:
            tensor.copy_(torch.randint(0, largest_integer + 1, shape, generator=generator))
        leaves.append(tensor)
    return leaves


def _like(stride: list[int], shape: list[int], wanted: list[int]) -> list[int]:
    """Strides of the same dimension order for another shape, without gaps."""
    order = sorted(range(len(shape)), key=lambda i: (stride[i], shape[i]))
    result, step = [0] * len(shape), 1
    for position in order:
        result[position] = step
        step *= max(1, wanted[position])
    return result
