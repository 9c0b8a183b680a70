"""call -> the same call, or an InputError that names the argument, what was expected and what came.

The generated ``check_inputs`` calls these methods; see `ipy_fastcompile.engine.code.input_checks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ..errors import InputError
from . import plain
from .refusals import Refuse, told, untold

_CONVERT = "Convert the argument, or compile again with an example like it."


class Checks:
    """The checks of compiled functions; ``refuse`` makes what is raised where one fails."""

    __slots__ = ("_refuse",)

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse

    def constant(self, path: str, value: Any, expected: Any) -> None:
        """An argument that is no tensor has the value it had at capture."""
        if type(value) is not type(expected) or not _same(value, expected):
            raise self._refuse(_other_value, path, value, expected)

    def tensor(
        self,
        path: str,
        value: Any,
        dtype: torch.dtype,
        device: torch.device,
        rank: int,
        layout: torch.layout = torch.strided,
    ) -> None:
        """A tensor of this dtype, device, rank and layout, that does not ask for a gradient."""
        if not isinstance(value, torch.Tensor):
            raise self._refuse(_no_tensor, path, value)
        if not plain.is_plain(value):
            flaw = plain.find_flaw(value)
            if flaw is not None and not flaw.copyable:
                raise self._refuse(_flawed, path, flaw)
        if value.dtype is not dtype:
            raise self._refuse(_unfit, path, "dtype", dtype, value.dtype)
        if value.dim() != rank:
            raise self._refuse(_other_rank, path, rank, value)
        if value.device != device:
            raise self._refuse(_elsewhere, path, device, value)
        if value.layout is not layout:
            raise self._refuse(_unfit, path, "layout", layout, value.layout)
        if value.requires_grad and torch.is_grad_enabled():
            raise self._refuse(_wants_gradient, path)

    def number(self, path: str, value: Any) -> None:
        """A whole number of 0 or more, which counts as a size."""
        if type(value) is not int or value < 0:
            raise self._refuse(_no_size, path, value)

    def size(self, path: str, dim: int | None, found: int, expected: int, text: str = "") -> None:
        """A dimension has this size, which may follow from others; without one, a number is it."""
        if found != expected:
            raise self._refuse(_other_size, path, dim, found, expected, text)

    def solve(
        self, path: str, dim: int | None, found: int, factor: int, offset: int, name: str
    ) -> int:
        """The symbolic size ``name`` of a dimension that is ``factor*name + offset`` long."""
        size, rest = divmod(found - offset, factor)
        if rest:
            raise self._refuse(_no_multiple, path, dim, found, factor, offset, name)
        return size

    def range(
        self, path: str, dim: int | None, name: str, found: int, low: int, high: int | None
    ) -> None:
        """A symbolic size is within the range it was compiled for."""
        if found < low or (high is not None and found > high):
            raise self._refuse(_out_of_range, path, dim, name, found, low, high)

    def condition(
        self, holds: bool, refusal: str, words: str, sizes: tuple[tuple[str, Any, str, int], ...]
    ) -> None:
        """Sizes meet a condition that the compiled code takes for granted.

        ``refusal`` goes on a sentence that names ``sizes``: (path, dimension, its text, its size).
        """
        if not holds:
            raise self._refuse(_condition_unmet, refusal, words, sizes)

    def laid_out(
        self,
        path: str,
        value: torch.Tensor,
        strides: tuple[int, ...],
        strict: bool,
        offset: bool,
        where: str,
    ) -> None:
        """A tensor whose layout the model reads, at the line ``where``, has these strides.

        ``strict``: in dimensions of size 1, too. ``offset``: its memory begins with it.
        """
        pairs = zip(value.stride(), strides, value.shape, strict=True)
        if any(f != s and (strict or n > 1) for f, s, n in pairs) and (strict or value.numel()):
            raise self._refuse(_other_layout, path, strides, value.stride(), where)
        if offset and value.storage_offset():
            raise self._refuse(_elsewhere_in_memory, path, value.storage_offset(), where)

    def layout(
        self, path: str, value: torch.Tensor, strides: tuple[int, ...], mutated: bool
    ) -> torch.Tensor:
        """The tensor with the strides it was compiled for: itself, or a copy.

        So are lazy and badly aligned tensors. A tensor that the model may write to is never copied,
        nor one that would have to share memory with itself; other strides are then refused.
        """
        if (
            type(value) is not torch.Tensor
            or value.is_neg()
            or value.is_conj()
            or not plain.has_memory(value)
        ):
            flaw = plain.find_flaw(value)
            if flaw is not None and (mutated or not flaw.copyable):
                raise self._refuse(_flawed, path, flaw)
            value = plain.alias(value) if flaw is None else plain.copied(value)
        found = value.stride()
        if found == strides:
            return value
        shape = value.shape
        if all(f == s or n <= 1 for f, s, n in zip(found, strides, shape, strict=True)) or not (
            value.numel()
        ):
            return value
        if mutated:
            raise self._refuse(_other_strides, path, strides, found)
        copy = torch.empty_strided(shape, strides, dtype=value.dtype, device=value.device)
        if plain.overlaps_itself(copy):  # of an expanded example, whose rows are one in memory
            raise self._refuse(_other_strides, path, strides, found)
        return copy.copy_(value)

    def separate(
        self, paths: Sequence[str], tensors: Sequence[torch.Tensor], written: Sequence[str]
    ) -> None:
        """Inputs that the model writes to share no memory with others."""
        rows = sorted((*plain.extent(t), path) for path, t in zip(paths, tensors, strict=True))
        reach: dict[bool, tuple[int, str]] = {True: (0, ""), False: (0, "")}  # by: is it written
        for start, end, path in rows:
            writes = path in written
            for other_writes, (stop, other) in reach.items():
                if start < end and start < stop and (writes or other_writes):
                    raise self._refuse(_overlapping, path, other, path if writes else other)
            reach[writes] = max(reach[writes], (end, path))


# What ``check_inputs`` takes: the same checks with words, and without for a program among others.
CHECKS = Checks(told)
QUIET_CHECKS = Checks(untold)


# --- why a check failed --------------------------------------------------------------------------


def _unfit(path: str, what: str, expected: Any, found: Any, hint: str = _CONVERT) -> InputError:
    return InputError(
        f"Argument {path} has {what} {found}, and the compiled function takes {expected}.",
        hint,
        argument=path.partition(", ")[0],
        expected=expected,
        found=found,
    )


def _other_value(path: str, value: Any, expected: Any) -> InputError:
    hint = "It was fixed at capture; compile again with this value."
    found = "of a tensor" if isinstance(value, torch.Tensor) else f"{value!r:.60}"
    return _unfit(path, "the value", f"{expected!r:.60}", found, hint)


def _no_tensor(path: str, value: Any) -> InputError:
    return _unfit(path, "type", "a tensor", type(value).__name__, "Pass a torch.Tensor.")


def _other_rank(path: str, rank: int, value: torch.Tensor) -> InputError:
    return _unfit(path, "rank", rank, f"{value.dim()} (shape {tuple(value.shape)})")


def _elsewhere(path: str, device: torch.device, value: torch.Tensor) -> InputError:
    return _unfit(path, "device", device, value.device, f"Move it with .to({str(device)!r}).")


def _wants_gradient(path: str) -> InputError:
    return _unfit(
        path,
        "requires_grad",
        "no gradients: it is for inference and never records autograd",
        True,
        "Detach the argument, or call under torch.no_grad().",
    )


def _no_size(path: str, value: Any) -> InputError:
    if type(value) is not int:
        return _unfit(path, "type", "an int", type(value).__name__, "Pass a whole number.")
    return _unfit(path, "the value", "0 or more", value)


def _other_size(path: str, dim: int | None, found: int, expected: int, text: str) -> InputError:
    shown = f"{text} = {expected}" if text else expected
    return _unfit(*_placed(path, dim), shown, found)


def _no_multiple(
    path: str, dim: int | None, found: int, factor: int, offset: int, name: str
) -> InputError:
    shown = f"{factor}*{name}" + (f" + {offset}" if offset else "")
    return _unfit(*_placed(path, dim), shown, found)


def _out_of_range(
    path: str, dim: int | None, name: str, found: int, low: int, high: int | None
) -> InputError:
    upper = "inf" if high is None else high
    hint = "Compile again with a wider range in `dynamic`."
    if found < low and found <= 1:  # torch may have found that the model does something else there
        hint = (
            "Compile again with a wider range in `dynamic`; where the range had this size, the "
            "model computes something else for it, so compile a call of this size for itself."
        )
    return _unfit(*_placed(path, dim, name), f"[{low}, {upper}]", found, hint)


def _condition_unmet(
    refusal: str, words: str, sizes: tuple[tuple[str, int | None, str, int], ...]
) -> InputError:
    placed = [(*_placed(path, dim, text), found) for path, dim, text, found in sizes]
    listed = " and ".join(f"argument {where} has {what} {found}" for where, what, found in placed)
    return InputError(
        f"{listed[:1].upper()}{listed[1:]}, {refusal}.",
        "The compiled function takes other sizes only; compile again with an example of "
        "this one, if the model takes it.",
        argument=sizes[0][0],
        expected=words,
        found=sizes[0][3],
    )


def _placed(path: str, dim: int | None, name: str = "") -> tuple[str, str]:
    """An argument with its dimension, and what it has there: a size. A number has a value."""
    shown = f" ({name})" if name else ""
    if dim is None:
        return f"{path}{shown}", "the value"
    return f"{path}, dimension {dim}{shown},", "size"


def _other_strides(path: str, strides: tuple[int, ...], found: tuple[int, ...]) -> InputError:
    hint = (
        "No copy is made where the model writes in place or rows share memory: pass a tensor laid "
        "out like the example."
    )
    return _unfit(path, "strides", strides, found, hint)


def _other_layout(
    path: str, strides: tuple[int, ...], found: tuple[int, ...], where: str
) -> InputError:
    return InputError(
        f"Argument {path} has strides {found}, and the compiled function takes {strides}: the "
        f"model reads them{where}.",
        "Pass a tensor laid out like the example, or compile again with an example like this one.",
        argument=path,
        expected=strides,
        found=found,
    )


def _elsewhere_in_memory(path: str, found: int, where: str) -> InputError:
    return InputError(
        f"Argument {path} begins {found} elements into its memory, and the compiled function "
        f"takes one that begins with it: the model reads where it is{where}.",
        "Pass a clone of it: x.clone().",
        argument=path,
        expected=0,
        found=found,
    )


def _overlapping(path: str, other: str, written: str) -> InputError:
    return InputError(
        f"Arguments {other} and {path} share memory, and the model writes to {written}; they were "
        "apart when it was compiled.",
        "Pass a clone of one of them.",
        argument=path,
        expected=f"apart from {other}",
        found=f"shared with {other}",
    )


def _flawed(path: str, flaw: plain.Flaw) -> InputError:
    return InputError(
        f"Argument {path} {flaw.what}, and compiled kernels read memory.",
        flaw.hint,
        argument=path,
        expected="a plain tensor",
        found=flaw.what,
    )


def _same(value: Any, expected: Any) -> bool:
    """Equal, NaN and signed zeros told apart as the graph would."""
    if isinstance(value, float):
        if math.isnan(value) or math.isnan(expected):
            return math.isnan(value) and math.isnan(expected)
        return value == expected and math.copysign(1.0, value) == math.copysign(1.0, expected)
    if isinstance(value, complex):
        return _same(value.real, expected.real) and _same(value.imag, expected.imag)
    return bool(value == expected)
