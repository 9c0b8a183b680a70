"""tensors + specifications -> a guard, where all are what nearly all tensors of models are.

Whole storages, contiguous, of the usual classes, as specified: that is asked of all at once, at the
speed of C. One tensor of each kind is looked at, and a guard says that the others are like it; the
same guard then tells at every call whether they still are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

import torch

from ..artifact.schema import TensorSpecs
from ..frozen import NamedTuple
from ..torch_compat import tensor_kinds
from . import plain


class Guard(NamedTuple):
    """``holds(*tensors)`` says whether ``size`` tensors have the metadata that it was made for."""

    size: int
    holds: Callable[..., bool]


_address = torch.Tensor.data_ptr
_bytes = torch.UntypedStorage.nbytes
_offset = torch.Tensor.storage_offset
_storage = torch.Tensor.untyped_storage
_wants_gradient = attrgetter("requires_grad")


def guard_whole(tensors: Sequence[torch.Tensor], specs: TensorSpecs) -> Guard | None:
    """A guard over tensors that are all whole and as specified; None where one is not.

    ``specs`` are those of `parameters.find_parameters`, which says what is wrong with which tensor.
    """
    if not tensors or not plain.PLAIN_TYPES.issuperset(map(type, tensors)):
        return None
    if any(specs.strides):
        return None
    kinds = list(
        zip(
            map(type, tensors), map(_wants_gradient, tensors), specs.dtypes, specs.shapes,
            specs.devices, strict=True,
        )
    )  # fmt: skip
    examples = {}
    for kind, tensor in dict(zip(kinds, tensors, strict=True)).items():
        _, _, dtype, shape, device = kind
        if (
            not plain.is_plain(tensor)
            or tensor.dtype is not getattr(torch, dtype)
            or tensor.shape != shape
            or tensor.device != torch.device(device)
            or not tensor.is_contiguous()
        ):
            return None
        examples[kind] = tensor, tensor.nbytes
    alike, sizes = zip(*map(examples.__getitem__, kinds), strict=True)
    holds = tensor_kinds.metadata_guard(alike)
    if not holds(*tensors):
        return None
    addresses = list(map(_address, tensors))
    if (
        tuple(map(_bytes, map(_storage, tensors))) != sizes
        or any(map(_offset, tensors))
        or not all(addresses)
        or any(map((15).__and__, addresses))
    ):
        return None
    return Guard(len(tensors), holds)
