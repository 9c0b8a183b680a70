"""tensor -> what its memory is, and whose code it runs (torch._C; seen on 2.11 and 2.13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch


def storage_identity(tensor: torch.Tensor) -> int:
    """A number that tensors share exactly when they share their storage; fake tensors have one."""
    with torch._C.DisableTorchFunction():  # it is not the model that asks
        return int(tensor.untyped_storage()._cdata)


def is_fake(tensor: torch.Tensor) -> bool:
    """Whether a tensor has no values, only a description."""
    return bool(torch._is_functional_tensor(tensor)) or hasattr(tensor, "fake_mode")


def holds_tensors(tensor: torch.Tensor) -> bool:
    """Whether a tensor has no memory of its own and is made of others: a DTensor, a nested one."""
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass

    return bool(is_traceable_wrapper_subclass(tensor))


dispatch_keys = torch._C._dispatch_keys  # 0.4 us, and no `__torch_function__` of the tensor runs


def dispatch_key_names(tensor: torch.Tensor) -> tuple[str, ...]:
    """``("CPU", "Negative", "AutogradCPU")``: what decides which code an op on a tensor runs."""
    text = str(dispatch_keys(tensor))
    return tuple(text.partition("(")[2].rstrip(")").replace(" ", "").split(","))


def without_subclass_code() -> Any:
    """A context manager: the `__torch_function__` of tensor subclasses does not run."""
    return torch._C.DisableTorchFunctionSubclass()


def has_own_torch_function(kind: type) -> bool:
    """Whether a tensor class says itself what torch's functions do with it."""
    found = getattr(kind, "__torch_function__", None)
    usual = (torch.Tensor.__torch_function__, torch.nn.Parameter.__torch_function__)
    bare = getattr(found, "__func__", found)
    return all(bare is not getattr(known, "__func__", known) for known in usual)


def tangent_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """The tangent that forward-mode autograd keeps with a tensor, if there is one."""
    unpack: Any = torch.autograd.forward_ad.unpack_dual
    return cast("torch.Tensor | None", unpack(tensor).tangent)


def metadata_guard(tensors: Sequence[torch.Tensor]) -> Callable[..., bool]:
    """``guard(*others)``: whether others have types, dtypes, devices, sizes and strides of these.

    Of ``tensors`` one may stand for many; the others must be distinct. Dynamo's guard in C++ takes
    0.15 us a tensor. It sees the mode of the thread, so that a guard made in inference mode holds
    nowhere else. It must be given sizes and strides: without them it reads freed memory.
    """
    kind = getattr(torch._C._dynamo.guards, "TensorGuards", None)
    if kind is None or not tensors:
        wanted = [_metadata(t) for t in tensors]
        return lambda *others: [_metadata(t) for t in others] == wanted
    keys = list(map(id, tensors))
    distinct = dict(zip(keys, tensors, strict=True))
    sizes = {key: list(tensor.size()) for key, tensor in distinct.items()}
    strides = {key: list(tensor.stride()) for key, tensor in distinct.items()}
    guards = kind(
        *tensors,
        dynamic_dims_sizes=list(map(sizes.__getitem__, keys)),
        dynamic_dims_strides=list(map(strides.__getitem__, keys)),
    )
    check: Callable[..., bool] = guards.check
    return check


def _metadata(tensor: Any) -> tuple[Any, ...]:
    if not isinstance(tensor, torch.Tensor):
        return (type(tensor),)
    keys = dispatch_keys(tensor).raw_repr()
    if tensor.layout != torch.strided:
        return type(tensor), keys
    return type(tensor), keys, tensor.dtype, tensor.device, tensor.shape, tensor.stride()


def writes_to(tensor: torch.Tensor) -> int | None:
    """How often a tensor's memory was written to; None for one of inference mode: nobody counts."""
    return None if tensor.is_inference() else int(tensor._version)
