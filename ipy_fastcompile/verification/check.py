"""compiled + model -> the largest difference from eager, through a save and a load."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import KernelError
from ..runtime.containers import with_leaves
from ..runtime.load import load
from ..runtime.nests import flatten, nest_data


def check_against_eager(
    compiled: Any,
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    via: str = "native",
    file: str | os.PathLike[str] | None = None,
) -> float:
    """The largest absolute difference between the reloaded artifact and eager, over all outputs.

    The artifact at ``file`` (or a temporary one, saved here) is loaded with the model's own
    weights. Inputs are cloned for each side, so in-place updates of one do not reach the other;
    buffers that the model updates are put back. NaN and infinities count as equal to themselves.

    Raises KernelError when the outputs differ in structure, dtype or shape.
    """
    kwargs = dict(kwargs or {})
    with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as directory:
        if file is None:
            file = Path(directory) / "check.fastcompile"
            compiled.save(file)
        function = load(file, model, via=via)
        state = _snapshot(model)
        with torch.no_grad():
            eager = model(*cloned(args), **cloned(kwargs))
            _restore(state)
            fast = function(*cloned(args), **cloned(kwargs))
            _restore(state)
    return largest_difference(eager, fast)


def largest_difference(eager: Any, fast: Any) -> float:
    """The largest absolute difference over all tensors of two equal structures.

    Raises KernelError naming the output that differs in kind, dtype or shape.
    """
    expected, found = flatten(eager), flatten(fast)
    if expected.nest != found.nest or len(expected.leaves) != len(found.leaves):
        raise KernelError(
            f"The compiled outputs are nested as {nest_data(found.nest)}, eager's as "
            f"{nest_data(expected.nest)}.",
            "Report this model: the artifact is not to be used.",
        )
    worst = 0.0
    for position, (a, b) in enumerate(zip(expected.leaves, found.leaves, strict=True)):
        if not isinstance(a, torch.Tensor):
            if a != b:
                raise _differs(position, a, b)
            continue
        if a.dtype != b.dtype or a.shape != b.shape:
            raise _differs(position, f"{a.dtype}{tuple(a.shape)}", f"{b.dtype}{tuple(b.shape)}")
        if not a.numel():
            continue
        if not a.dtype.is_floating_point and not a.dtype.is_complex:
            worst = max(worst, float((a.to(torch.int64) - b.to(torch.int64)).abs().max()))
            continue
        wide = torch.complex128 if a.dtype.is_complex else torch.float64
        x, y = a.to(wide), b.to(wide)
        same = (x == y) | (x.isnan() & y.isnan())
        difference = torch.where(same, torch.zeros_like(x, dtype=wide), x - y).abs()
        worst = max(worst, float(difference.nan_to_num(nan=float("inf")).max()))
    return worst


def _differs(position: int, expected: Any, found: Any) -> KernelError:
    return KernelError(
        f"Output {position} is {found}, and eager gives {expected}.",
        "Report this model: the artifact is not to be used.",
    )


def leaves_of(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a result, and how they are nested, as data that can be compared."""
    found = flatten(tree)
    return found.leaves, nest_data(found.nest)


def cloned(tree: Any) -> Any:
    """The same containers with copies of the tensors, laid out and marked as they are."""

    def copy_of(value: Any, _: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        copy = copied(value)
        vars(copy).update(vars(value))
        return copy

    return with_leaves(tree, copy_of)


def copied(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with the same strides; `clone` makes those of a slice others."""
    copy = tensor.detach().clone()
    is_plain = tensor.layout is torch.strided and not (tensor.is_conj() or tensor.is_neg())
    if not is_plain or copy.stride() == tensor.stride() or not tensor.numel():
        return copy
    span = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    memory = tensor.detach().as_strided((span,), (1,), tensor.storage_offset()).clone()
    return memory.as_strided(tensor.shape, tensor.stride(), 0)


def _snapshot(model: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    owner = model if isinstance(model, torch.nn.Module) else getattr(model, "__self__", None)
    if not isinstance(owner, torch.nn.Module):
        return []
    return [(buffer, buffer.clone()) for buffer in owner.buffers()]


def _restore(state: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for buffer, value in state:
        buffer.copy_(value)
