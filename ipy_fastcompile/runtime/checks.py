"""call -> the same call, or an InputError that names the argument, what was expected and what came.

The generated ``check_inputs`` calls these methods; see `ipy_fastcompile.engine.codegen`.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from ..errors import InputError


def _refuse(path: str, what: str, expected: Any, found: Any, hint: str = "") -> NoReturn:
    raise InputError(
        f"Argument {path} has {what} {found}, and the compiled function takes {expected}.",
        hint or "Convert the argument, or compile again with an example like it.",
        argument=path,
        expected=expected,
        found=found,
    )


class Check:
    """The checks of one compiled function; without state."""

    @staticmethod
    def constant(path: str, value: Any, expected: Any) -> None:
        """An argument that is no tensor has the value it had at capture."""
        same = type(value) is type(expected) and (value == expected or value != value)
        if not same:
            _refuse(path, "the value", repr(expected), repr(value), "It was fixed at capture.")

    @staticmethod
    def tensor(path: str, value: Any, dtype: torch.dtype, device: str, rank: int) -> None:
        """A tensor of this dtype, device and rank, that does not ask for a gradient."""
        if not isinstance(value, torch.Tensor):
            _refuse(path, "type", "a tensor", type(value).__name__, "Pass a torch.Tensor.")
        if value.dtype is not dtype:
            _refuse(path, "dtype", dtype, value.dtype)
        if value.dim() != rank:
            _refuse(path, "rank", rank, f"{value.dim()} (shape {tuple(value.shape)})")
        if value.device.type != device.partition(":")[0] or str(value.device) != device:
            _refuse(path, "device", device, value.device, f"Move it with .to({device!r}).")
        if value.requires_grad and torch.is_grad_enabled():
            _refuse(
                path,
                "requires_grad",
                "no gradients: it is for inference and never records autograd",
                True,
                "Detach the argument, or call under torch.no_grad().",
            )

    @staticmethod
    def size(path: str, dim: int, found: int, expected: int, text: str = "") -> None:
        """A dimension has this size, which may follow from other dimensions."""
        if found != expected:
            shown = f"{text} = {expected}" if text else expected
            _refuse(f"{path}, dimension {dim},", "size", shown, found)

    @staticmethod
    def range(path: str, dim: int, name: str, found: int, low: int, high: int | None) -> None:
        """A symbolic size is within the range it was compiled for."""
        if found < low or (high is not None and found > high):
            upper = "inf" if high is None else high
            _refuse(
                f"{path}, dimension {dim} ({name}),",
                "size",
                f"[{low}, {upper}]",
                found,
                "Compile again with a wider range in `dynamic`.",
            )

    @staticmethod
    def layout(
        path: str, value: torch.Tensor, strides: tuple[int, ...], mutated: bool
    ) -> torch.Tensor:
        """The tensor with the strides it was compiled for: itself, or a copy.

        A tensor that the model may write to is never copied; other strides are then refused.
        """
        found = value.stride()
        if found == strides:
            return value
        shape = value.shape
        if all(f == s or n <= 1 for f, s, n in zip(found, strides, shape, strict=True)) or not (
            value.numel()
        ):
            return value
        if mutated:
            _refuse(path, "strides", strides, found, "Pass a tensor laid out like the example.")
        copy = torch.empty_strided(shape, strides, dtype=value.dtype, device=value.device)
        return copy.copy_(value)
