"""tensor or array -> lines: what it is, and a digest of its values."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import torch

from ...torch_compat import tensor_kinds
from .handler import Handler
from .names import class_name
from .walker import Walker


def tensor_text(tensor: torch.Tensor) -> str:
    """dtype, shape, strides and device: everything but the values."""
    if tensor.layout is not torch.strided:
        return f"{tensor.dtype}{list(tensor.shape)} {tensor.layout} {tensor.device}"
    return f"{tensor.dtype}{list(tensor.shape)} strides {list(tensor.stride())} {tensor.device}"


def _tensor(walker: Walker, path: str, tensor: Any, _depth: int) -> None:
    """With its values: it is none of the model's parameters, so a compile freezes them."""
    kind = type(tensor)
    walker.if_used("loose", f"of {path}: {tensor.requires_grad}", "requires_grad")
    if kind not in (torch.Tensor, torch.nn.Parameter) or tensor_kinds.is_fake(tensor):
        walker.miss(path, f"it is a tensor of class {class_name(kind)}")
    elif tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        walker.miss(path, f"it is a tensor without plain memory, {tensor_text(tensor)}")
    else:
        walker.line(path, f"tensor {tensor_text(tensor)} sha256 {_digest(tensor)}")


def _digest(tensor: torch.Tensor) -> str:
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    return sha256(plain.reshape(-1).view(torch.uint8).numpy().data).hexdigest()


def _array(walker: Walker, path: str, value: Any, _depth: int) -> None:
    digest = sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    walker.line(path, f"array {value.dtype.str}{list(value.shape)} sha256 {digest}")


def _is_plain_array(value: Any) -> bool:
    return type(value) is np.ndarray and not value.dtype.hasobject


def _ufunc(walker: Walker, path: str, value: Any, _depth: int) -> None:
    walker.line(path, f"ufunc {value.__name__}")
    walker.judge(path, value)


TENSORS = (
    Handler((torch.Tensor,), _tensor),
    Handler((np.ndarray,), _array, when=_is_plain_array),
    Handler((np.ufunc,), _ufunc),
)
