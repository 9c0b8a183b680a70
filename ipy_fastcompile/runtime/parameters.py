"""model -> the tensors an artifact needs, by name, each checked.

The names are those of `torch.export`: paths such as ``model.layers.0.mlp.up_proj.weight``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ..errors import ParameterError

Source = torch.nn.Module | Mapping[str, torch.Tensor] | Any


def find_parameters(
    source: Source, specs: Sequence[Sequence[Any]], stored: Mapping[str, torch.Tensor]
) -> list[torch.Tensor]:
    """The tensor for every specification, in order.

    Parameters
    ----------
    source:
        A module, a bound method of one, or a mapping of names to tensors.
    specs:
        ``[name, kind, dtype, shape, strides or None when contiguous, device]`` each.
    stored:
        Constants and non-persistent buffers that the artifact holds; used for constants, and for
        what a mapping (a state dict, say) does not have.

    Raises ParameterError naming the tensor that is missing or does not fit, and both sides.
    """
    lookup = _Lookup(source, stored)
    dtypes: dict[str, torch.dtype] = {}
    devices: dict[str, torch.device] = {}
    tensors = []
    for name, kind, dtype_name, shape, stride, device_name in specs:
        if dtype_name not in dtypes:
            dtypes[dtype_name] = getattr(torch, dtype_name)
        if device_name not in devices:
            devices[device_name] = torch.device(device_name)
        device = devices[device_name]
        if kind == "constant":
            tensor = _laid_out(stored[name].to(device), stride)
        else:
            tensor = lookup.find(name)
        if (
            tensor.dtype is not dtypes[dtype_name]
            or tensor.shape != tuple(shape)
            or tensor.device != device
            or not _has_strides(tensor, stride)
        ):
            raise _misfit(name, kind, tensor, dtype_name, shape, stride, device_name)
        tensors.append(tensor)
    return tensors


def _laid_out(tensor: torch.Tensor, stride: Sequence[int] | None) -> torch.Tensor:
    """A tensor that was stored contiguous, with the strides it had in the graph."""
    if stride is None or _has_strides(tensor, stride):
        return tensor
    shape = tuple(tensor.shape)
    copy = torch.empty_strided(shape, tuple(stride), dtype=tensor.dtype, device=tensor.device)
    return copy.copy_(tensor)


def _has_strides(tensor: torch.Tensor, stride: Sequence[int] | None) -> bool:
    """Whether a tensor has these strides; None stands for contiguous."""
    if stride is None:
        return tensor.is_contiguous()
    if tensor.stride() == tuple(stride) or not tensor.numel():
        return True
    entries = zip(tensor.stride(), stride, tensor.shape, strict=True)
    return all(found == wanted or size <= 1 for found, wanted, size in entries)


def _misfit(
    name: str,
    kind: str,
    tensor: torch.Tensor,
    dtype: str,
    shape: Sequence[int],
    stride: Sequence[int] | None,
    device: str,
) -> ParameterError:
    layout = "contiguous" if stride is None else f"strides {list(stride)}"
    expected = f"{dtype}{list(shape)}, {layout}, on {device}"
    found = (
        f"{str(tensor.dtype)[6:]}{list(tensor.shape)}, strides {list(tensor.stride())}, "
        f"on {tensor.device}"
    )
    return ParameterError(
        f"The {kind} {name} is {found}, and the artifact was compiled for {expected}.",
        "Load it for the model it was made from, or compile again.",
        name=name,
        expected=expected,
        found=found,
    )


class _Lookup:
    """Finds tensors by path; the modules on the way are looked up once."""

    def __init__(self, source: Source, stored: Mapping[str, torch.Tensor]) -> None:
        owner = getattr(source, "__self__", None)
        self._mapping: Mapping[str, Any] | None = None
        self._modules: dict[str, Any] = {}
        self._stored = stored
        if isinstance(source, Mapping):
            self._mapping = source
        elif isinstance(source, torch.nn.Module):
            self._modules[""] = source
        elif isinstance(owner, torch.nn.Module):
            self._modules[""] = owner
        elif callable(source) or source is None:
            self._mapping = {}
        else:
            raise ParameterError(
                f"model is a {type(source).__name__}, which has no parameters.",
                "Pass a torch.nn.Module or a mapping of names to tensors.",
            )

    def find(self, name: str) -> torch.Tensor:
        if self._mapping is not None:
            tensor = self._mapping.get(name, self._stored.get(name))
        else:
            prefix, _, leaf = name.rpartition(".")
            tensor = getattr(self._module(prefix), leaf, None)
        if not isinstance(tensor, torch.Tensor):
            raise self._missing(name)
        return tensor

    def _module(self, path: str) -> Any:
        if path not in self._modules:
            prefix, _, leaf = path.rpartition(".")
            self._modules[path] = getattr(self._module(prefix), leaf, None)
        return self._modules[path]

    def _missing(self, name: str) -> ParameterError:
        near = difflib.get_close_matches(name, list(self._names()), 1)
        return ParameterError(
            f"The artifact needs {name!r}, which the model does not have.",
            f"The nearest name is {near[0]!r}."
            if near
            else "Load it for the model it was made from.",
            name=name,
        )

    def _names(self) -> Iterator[str]:
        if self._mapping is not None:
            yield from self._mapping
        else:
            root = self._modules[""]
            yield from (n for n, _ in root.named_parameters())
            yield from (n for n, _ in root.named_buffers())


def tensors_for(specs: Sequence[Sequence[Any]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Made-up tensors that fit the specifications, for processes that have no weights.

    Floating-point values are small and random, integers zero; values are not the model's.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(_NOISE, generator=generator).mul_(0.04).sub_(0.02)
    tensors = {}
    for name, _, dtype_name, shape, stride, device in specs:
        dtype = getattr(torch, dtype_name)
        tensor = torch.empty(shape, dtype=dtype, device=device)
        if stride is not None:
            tensor = torch.empty_strided(shape, stride, dtype=dtype, device=device)
        if dtype.is_floating_point and dtype.itemsize >= 2:
            # Tiled, for a billion random numbers would take longer than all that is measured.
            tiles = -(-tensor.numel() // _NOISE)
            values = noise.to(device).repeat(tiles)[: tensor.numel()]
            tensor.copy_(values.view(tensor.shape))
        else:
            tensor.zero_()
        tensors[name] = tensor
    return tensors


# Distinct random values in made-up tensors: prime, so that rows are not alike.
_NOISE = 65_537
