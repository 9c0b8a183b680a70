"""a model that runs -> the arguments of which it reads how they lie in memory, and the line.

A call copies an argument of other strides into those of the example. Where the model asks for
strides, it would be told the example's; such an argument is checked instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ...errors import CaptureError
from ...frozen import frozen
from ...records import Source
from ...torch_compat import askers
from ...torch_compat.questions import Note, asking_frame, question_of
from ..code.sources import cited
from ..sizes.size_book import user_line

_T = torch.Tensor
# Whether a tensor is contiguous does not depend on the strides of dimensions of size 1.
_LOOSE = frozenset({_T.is_contiguous})
_STRICT = frozenset(
    {_T.stride, _T.dim_order, _T.as_strided_scatter, torch.as_strided_scatter}
)  # fmt: skip
_OFFSETS = frozenset({_T.storage_offset})
_STORAGES = frozenset({_T.untyped_storage, _T.storage, _T.data_ptr})
_WINDOWS = frozenset({_T.as_strided, _T.as_strided_, torch.as_strided, torch.as_strided_copy})
# What these give is laid out in one way, whatever they are given.
_NORMALIZE = frozenset(
    {
        torch.nn.functional.linear, torch.nn.functional.embedding, torch.nn.functional.layer_norm,
        torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm, torch.einsum,
        _T.matmul, _T.mm, _T.bmm, _T.addmm, _T.__matmul__, _T.__rmatmul__,
        torch.sum, torch.mean, _T.sum, _T.mean, torch.index_select, _T.index_select,
        _T.new_zeros, _T.new_ones, _T.new_full, _T.new_empty, _T.new_tensor,
    }
)  # fmt: skip


@frozen
class LayoutRead:
    """What a model reads of an argument's layout: ``strict`` all strides, ``offset`` the offset."""

    source: Source | None
    strict: bool = False
    offset: bool = False


class LayoutBook(TorchFunctionMode):
    """Follows the arguments through the calls of a model, and notes who reads a layout.

    ``reads`` are by the way to an argument. What tensors are asked besides is noted by ``note``.
    """

    def __init__(self, note: Note) -> None:
        super().__init__()
        self._note_question = note
        self.reads: dict[str, LayoutRead] = {}
        # The tensors as well, so that an id stays theirs.
        self._known: dict[int, tuple[Any, frozenset[str]]] = {}

    def begin(self, leaves: Mapping[str, Any]) -> None:
        """Note the arguments by the ways to them, before the model runs."""
        self.reads, self._known = {}, {}
        for path, leaf in leaves.items():
            if isinstance(leaf, torch.Tensor) and leaf.layout is torch.strided:
                self._known[id(leaf)] = leaf, frozenset({path})

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Note what is read, and of which arguments the result has its layout."""
        named = kwargs or {}
        paths = self._paths((*args, *named.values()))
        result = func(*args, **named)  # first: what torch itself refuses, it explains
        if paths and func in _READS:
            source = user_line(tuple(askers.users_frames()))
            for path in sorted(paths):
                self._note(path, func, source, args, named)
        words = question_of(func)
        if words:
            self._note_question(f"{words} of a tensor", result, asking_frame())
        if paths and not _is_normal(func, named):
            for tensor in _tensors(result):
                if id(tensor) not in self._known:
                    self._known[id(tensor)] = tensor, paths
        return result

    def _paths(self, values: Any) -> frozenset[str]:
        known = (self._known.get(id(tensor)) for tensor in _tensors(values))
        return frozenset().union(*(found[1] for found in known if found is not None))

    def _note(
        self, path: str, func: Any, source: Source | None, args: Any, named: Mapping[str, Any]
    ) -> None:
        if func in _STORAGES:
            raise _reads_memory(path, "reads the memory under", source)
        offset = func in _OFFSETS
        if func in _WINDOWS:
            window = dict(zip(("input", "size", "stride", "storage_offset"), args, strict=False))
            window |= named
            if not _is_within(**window):
                raise _reads_memory(path, "reads memory outside of", source)
            offset = window.get("storage_offset") is not None
        before = self.reads.get(path, LayoutRead(source))
        self.reads[path] = LayoutRead(
            before.source,
            strict=before.strict or func not in _LOOSE | _OFFSETS,
            offset=before.offset or offset,
        )


_READS = _LOOSE | _STRICT | _OFFSETS | _STORAGES | _WINDOWS


def check_layout_reads(
    reads: Mapping[str, LayoutRead], leaves: Mapping[str, Any], closed: Set[str]
) -> None:
    """Refuse an example of which the model was told another layout than it has, or an offset.

    ``leaves`` are those of the call by the ways to them, ``closed`` shown without their gaps.
    """
    for path, read in reads.items():
        if path in closed or (read.offset and leaves[path].storage_offset()):
            raise CaptureError(
                f"The model reads how argument {path} lies in memory{cited(read.source)}, and the "
                "example is a part of a larger tensor.",
                "Give a clone of it as the example: x.clone().",
                name=path,
            )


def describe_layout_reads(reads: Mapping[str, LayoutRead]) -> tuple[str, ...]:
    """What the report says of them, a line each."""
    return tuple(
        f"The model reads how argument {path} lies in memory{cited(read.source)}: calls with other "
        "strides are refused."
        for path, read in reads.items()
    )


def _is_normal(func: Any, named: Mapping[str, Any]) -> bool:
    """Whether the layout of a result does not depend on that of the arguments."""
    if func in (_T.contiguous, _T.clone, _T.to):
        wanted = named.get("memory_format", torch.preserve_format)
        return func is _T.contiguous or wanted is not torch.preserve_format
    return func in _NORMALIZE


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _is_within(*, input: Any, size: Any, stride: Any, storage_offset: Any = None) -> bool:  # noqa: A002
    """Whether a window lies within the elements of a tensor."""
    begin = input.storage_offset()
    first = begin if storage_offset is None else storage_offset
    last = first + _span(size, stride)
    return bool(first >= begin and last <= begin + _span(input.shape, input.stride()))


def _span(size: Any, stride: Any) -> Any:
    return 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))


def _reads_memory(path: str, how: str, source: Source | None) -> CaptureError:
    return CaptureError(
        f"The model {how} argument {path}{cited(source)}, which a compiled call may be given "
        "elsewhere.",
        "Pass the whole tensor, and take parts of it by indexing.",
        name=path,
    )
