"""tensor -> whether kernels may read its memory by address, sizes and strides, or why not.

A kernel never asks a tensor for its values: it takes the address and believes sizes and strides.
What has no memory, other memory than it says, or values that are not what the memory holds must be
found out before.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from ..frozen import NamedTuple
from ..torch_compat import tensor_kinds

# What the dispatch keys of a tensor say of one whose memory holds its values.
_ORDINARY = frozenset(
    {"CPU", "CUDA", "XPU", "HPU", "MPS", "MTIA", "PrivateUse1", "PrivateUse2", "PrivateUse3",
    "ADInplaceOrView", "BackendSelect"}
)  # fmt: skip
_ALWAYS_ORDINARY = ("Autograd", "Autocast")
_CONVERT = "Pass a plain tensor with the same values."
# The first key that is found says it: what the tensor is, and what to do.
_KINDS: dict[str, tuple[str, str]] = {
    "FuncTorchBatched": ("belongs to a torch.func transform", "Use it inside."),
    "FuncTorchGradWrapper": ("belongs to a torch.func transform", "Use it inside."),
    "Functionalize": ("is a functional tensor, as tracers use", _CONVERT),
    "Meta": ("is on the meta device and has no values", "Load its values first."),
    "Sparse": ("is sparse", "Convert it with .to_dense()."),
    "Nested": ("is nested", "Convert it with .to_padded_tensor(...), or unbind it."),
    "Quantized": ("is quantized", "Convert it with .dequantize()."),
    "Mkldnn": ("is in oneDNN's own layout", "Convert it with .to_dense()."),
    "Negative": ("is a lazy negation", "Call .resolve_neg() on it."),
    "Conjugate": ("is a lazy conjugate", "Call .resolve_conj() on it."),
    "ZeroTensor": ("stands for zeros and has no memory", "Call .clone() on it."),
}  # fmt: skip
PLAIN_TYPES = frozenset({torch.Tensor, torch.nn.Parameter})
_LAZY = frozenset({"Negative", "Conjugate", "ZeroTensor"})


class Flaw(NamedTuple):
    """Why kernels cannot take a tensor: the end of a sentence about it, and what to do.

    ``copyable`` is whether a plain copy has the values that the tensor stands for.
    """

    what: str
    hint: str
    copyable: bool = False


@lru_cache(maxsize=256)
def _unusual(keys: int, names: tuple[str, ...]) -> str:
    del keys
    found = [n for n in names if n not in _ORDINARY and not n.startswith(_ALWAYS_ORDINARY)]
    for kind in (*_KINDS, "Python"):
        for name in found:
            if name.startswith(kind):
                return kind
    return found[0] if found else ""


_plain_keys: set[int] = set()


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether type and dispatch keys are those of a tensor whose memory holds its values."""
    keys = tensor_kinds.dispatch_keys(tensor).raw_repr()
    return type(tensor) in PLAIN_TYPES and (keys in _plain_keys or _is_new_plain(keys, tensor))


def _is_new_plain(keys: int, tensor: torch.Tensor) -> bool:
    if _unusual(keys, tensor_kinds.dispatch_key_names(tensor)):
        return False
    _plain_keys.add(keys)
    return True


def find_flaw(tensor: torch.Tensor) -> Flaw | None:
    """What keeps kernels from taking a tensor as it is, None when nothing does."""
    kind = type(tensor)
    keys = tensor_kinds.dispatch_keys(tensor).raw_repr()
    unusual = _unusual(keys, tensor_kinds.dispatch_key_names(tensor))
    if unusual == "Python" and tensor_kinds.is_fake(tensor):
        return Flaw(f"is a {kind.__name__} and has no values", "Use real tensors.")
    if unusual == "Python" or (kind not in PLAIN_TYPES and unusual and unusual not in _LAZY):
        return Flaw(
            f"is a {kind.__name__}, whose values only its own code knows",
            "Pass a plain tensor with the same values: dequantized, gathered or unwrapped.",
        )
    if torch.nn.parameter.is_lazy(tensor):
        return Flaw("has no size yet", "Run the model once, which initializes its lazy layers.")
    if kind not in PLAIN_TYPES and tensor_kinds.has_own_torch_function(kind):
        return Flaw(
            f"is a {kind.__name__}, which overrides what torch's functions do",
            "Pass it .as_subclass(torch.Tensor).",
        )
    if unusual:
        what, hint = _KINDS.get(unusual, (f"is no plain tensor ({unusual})", _CONVERT))
        return Flaw(what, hint, unusual in _LAZY)
    if tensor.layout is not torch.strided:
        return Flaw(f"has the layout {tensor.layout}", "Convert it with .to_dense().")
    needed, held = _needed_bytes(tensor), _held_bytes(tensor)
    if needed > held or (needed and not tensor.data_ptr()):
        return Flaw(
            f"needs {needed} bytes of memory, of which its storage holds {max(0, held)}: "
            "it was freed or resized",
            "Gather or reload its values first.",
        )
    if needed and tensor.data_ptr() % tensor.element_size():
        what = "begins at an address that is no multiple of its element's size"
        return Flaw(what, "Call .clone() on it.", copyable=True)
    return None


def has_memory(tensor: torch.Tensor) -> bool:
    """Whether the storage of a plain tensor holds what sizes and strides promise, well aligned."""
    # What most tensors are: all of their storage, from its start. Allocators align to 16 bytes.
    if (
        tensor.untyped_storage().nbytes() == tensor.nbytes
        and not tensor.storage_offset()
        and tensor.is_contiguous()
    ):
        address = tensor.data_ptr()
        if not address % 16 and (address or not tensor.numel()):
            return True
    return find_flaw(tensor) is None


def _needed_bytes(tensor: torch.Tensor) -> int:
    """From the first element to the end of the last one."""
    if not tensor.numel():
        return 0
    last = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return int(last + 1) * tensor.element_size()


def _held_bytes(tensor: torch.Tensor) -> int:
    """What the storage holds from the tensor's first element on."""
    offset = int(tensor.storage_offset()) * tensor.element_size()
    return tensor.untyped_storage().nbytes() - offset


def extent(tensor: torch.Tensor) -> tuple[int, int]:
    """The addresses from the first byte to the end of the last one; equal when it is empty."""
    start = tensor.data_ptr()
    return start, start + _needed_bytes(tensor)


def overlaps_itself(tensor: torch.Tensor) -> bool:
    """Whether elements of a strided tensor share memory, as those of an expanded one do."""
    # Sorted by stride, every dimension must step over all that the smaller ones reach.
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return True
            reach += stride * (size - 1)
    return False


def alias(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory as a plain tensor without autograd; it stays when the other is replaced."""
    if type(tensor) in PLAIN_TYPES:
        return tensor.detach()
    with tensor_kinds.without_subclass_code():
        return tensor.detach()


def copied(tensor: torch.Tensor) -> torch.Tensor:
    """The values of a tensor that is lazy or badly aligned, in memory of its own."""
    resolved: Any = tensor.detach().resolve_conj().resolve_neg()
    return torch.empty_like(resolved, memory_format=torch.preserve_format).copy_(resolved)
