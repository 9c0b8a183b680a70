"""kernel or inlined submodule + sizes -> the memory that one call of it takes.

The call is run on tensors without data: every buffer of a kernel's text is allocated and deleted
just as in a real call, only that nothing is in it. Counted is what PyTorch's allocator would see,
with the workspace of attention on CPUs; what else an op allocates while it runs is not known here.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...runtime import bind
from ...runtime.handed import FromWeights
from ...runtime.kernels import kernel_namespace
from ...torch_compat import fake, symbolic, tensor_kinds, trees
from ..kernels.handed import as_views
from ..kernels.lowered import Lowered
from ..kernels.native import NativeKernel
from ..sizes.expressions import example_of


@dataclass(frozen=True)
class CallMemory:
    """Bytes that one call takes, for tensors of certain sizes.

    ``peak`` is the most that it holds at a time beyond its inputs, its outputs included.
    ``outputs`` says for every output which of ``storages`` it lives in; ``-1 - i`` means that of
    input ``i``, None that it is no tensor. ``storages`` are in bytes.
    """

    peak: int
    outputs: tuple[int | None, ...]
    storages: tuple[int, ...]


def call_memory(
    lowered: Lowered, examples: Mapping[Any, int]
) -> tuple[dict[int, CallMemory], tuple[str, ...]]:
    """The memory of every submodule's call for sizes of the symbols, and what is not known.

    The second value names the kernels whose calls could not be run without data, and why; there the
    caller only knows what is passed on.
    """
    found: dict[int, CallMemory] = {}
    of_digest: dict[str, CallMemory | str] = {}
    unknown: dict[str, str] = {}
    for sub, description in zip(lowered.split.submodules, lowered.descriptions, strict=True):
        number = lowered.kernel_of[sub.index]
        if description.digest not in of_digest:
            values = [
                n.meta.get("val") for n in sub.graph_module.graph.nodes if n.op == "placeholder"
            ]
            native = None if number is None else lowered.kernels[number].native
            if number is not None and native is None:
                of_digest[description.digest] = "it has no native text"
            else:
                run = sub.graph_module.forward if native is None else _without_kernels(native)
                of_digest[description.digest] = _measure(run, values, examples)
        memory = of_digest[description.digest]
        if isinstance(memory, CallMemory):
            found[sub.index] = memory
        else:
            unknown[sub.name if number is None else f"kernel_{number}"] = memory
    return found, tuple(f"{name}: {why}" for name, why in unknown.items())


# What an op raises that has no rule for tensors without data, or needs the data.
_NO_RULE = (RuntimeError, TypeError, ValueError, AttributeError, LookupError, AssertionError)


def _measure(
    run: Callable[..., Any], values: Sequence[Any], examples: Mapping[Any, int]
) -> CallMemory | str:
    ledger = _Ledger()
    try:
        with fake.without_data(ledger.on_op):
            inputs = [_example(value, examples) for value in values]
            ledger.start(inputs)
            outputs = run(*inputs)
            return ledger.finish(outputs if isinstance(outputs, (tuple, list)) else (outputs,))
    except _NO_RULE as error:
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.120}"


def _example(value: Any, examples: Mapping[Any, int]) -> Any:
    def number(size: Any) -> int:
        if not symbolic.is_symbolic_int(size):
            return int(size)
        return example_of(symbolic.symbolic_expression(size), examples)

    if isinstance(value, torch.Tensor):
        shape, stride = map(number, value.shape), map(number, value.stride())
        options = {"dtype": value.dtype, "device": value.device}
        return torch.empty_strided(tuple(shape), tuple(stride), **options)  # type: ignore[arg-type]
    return number(value) if symbolic.is_symbolic_int(value) else value


# --- what is alive -------------------------------------------------------------------------------


class _Ledger:
    """Storages that are alive, each as long as a tensor of it is."""

    def __init__(self) -> None:
        self._holders: dict[int, int] = {}  # storage -> tensors that hold it
        self._bytes: dict[int, int] = {}
        self._inputs: dict[int, int] = {}  # storage -> input
        self._watched: set[int] = set()  # ids of tensors
        self._total = 0
        self._peak = 0

    def start(self, inputs: Sequence[Any]) -> None:
        """From here on storages are counted, but those of the inputs."""
        for position, value in enumerate(inputs):
            if isinstance(value, torch.Tensor):
                self._inputs.setdefault(tensor_kinds.storage_identity(value), position)
        self._total = self._peak = 0
        self._bytes = dict.fromkeys(self._bytes, 0)

    def on_op(self, op: Any, args: Any, result: Any) -> None:
        """Note the storages of what an op yields, and what it needs while it runs."""
        for leaf in trees.flatten_tree(result)[0]:
            if isinstance(leaf, torch.Tensor):
                self._hold(leaf)
        self._peak = max(self._peak, self._total + _workspace(str(op), args))

    def _hold(self, tensor: torch.Tensor) -> None:
        if id(tensor) in self._watched:
            return
        storage = tensor_kinds.storage_identity(tensor)
        if storage in self._inputs:
            return
        if storage not in self._holders:
            self._holders[storage] = 0
            self._bytes[storage] = tensor.untyped_storage().nbytes()
            self._total += self._bytes[storage]
        self._holders[storage] += 1
        self._watched.add(id(tensor))
        weakref.finalize(tensor, self._release, id(tensor), storage).atexit = False

    def _release(self, tensor: int, storage: int) -> None:
        self._watched.discard(tensor)
        self._holders[storage] -= 1
        if not self._holders[storage]:
            del self._holders[storage]
            self._total -= self._bytes.pop(storage)

    def finish(self, outputs: Sequence[Any]) -> CallMemory:
        """The memory of the call that ends with these outputs."""
        numbers: dict[int, int] = {}
        places: list[int | None] = []
        for value in outputs:
            if not isinstance(value, torch.Tensor):
                places.append(None)
                continue
            storage = tensor_kinds.storage_identity(value)
            if storage in self._inputs:
                places.append(-1 - self._inputs[storage])
            else:
                places.append(numbers.setdefault(storage, len(numbers)))
        sizes = tuple(self._bytes[storage] for storage in numbers)
        return CallMemory(max(self._peak, self._total), tuple(places), sizes)


def _workspace(op: str, args: Sequence[Any]) -> int:
    """Bytes that an op allocates for itself, where that is known.

    Source: flash attention on CPUs, aten/src/ATen/native/cpu/FlashAttentionKernel.cpp.
    """
    if not op.startswith("aten._scaled_dot_product_flash_attention_for_cpu"):
        return 0
    query, key = args[:2]
    length, width = int(query.shape[-2]), int(query.shape[-1])
    block = 256 if length >= 768 else 64 if length >= 192 else 32
    rows, columns = min(block, length), min(512, int(key.shape[-2]))
    reduced = query.dtype in (torch.bfloat16, torch.float16)
    accumulator = 8 if query.dtype is torch.float64 else 4
    each = (rows * columns + 2 * rows + rows * width) * accumulator
    return torch.get_num_threads() * (each + (rows * columns * 2 if reduced else 0))


# --- a kernel's text without its kernels ---------------------------------------------------------


def _without_kernels(native: NativeKernel) -> Callable[..., Any]:
    """A native kernel whose binaries do nothing and whose buffers hold nothing."""
    functions = {built.name: _nothing for built in native.libraries}
    functions |= {launch.name: _nothing for launch in native.cubins}
    namespace = kernel_namespace(functions) | {
        "assert_size_stride": _nothing,
        "assert_size_stride_grouped": _nothing,
        "assert_tensor_metadata": _nothing,
        "assert_alignment": _nothing,
        "aligned": lambda tensor: tensor,
        "copy_if_misaligned": lambda tensor: tensor,
        "empty_strided_cpu": _allocator("cpu"),
        "empty_strided_cpu_pinned": _allocator("cpu"),
        "empty_strided_cuda": _allocator("cuda"),
        "reinterpret_tensor": _reinterpret,
        "get_raw_stream": lambda _: 0,
        "device_guard": _no_guard,
    }
    code = bind.compile_text(native.code, native.name)
    kernel: Callable[..., Any] = bind.run_code(code, namespace)[native.name]
    views = as_views(native.views)
    return FromWeights(kernel, views, _reinterpret) if views else kernel


def _nothing(*_: Any, **__: Any) -> None:
    """In the place of what computes."""


@contextlib.contextmanager
def _no_guard(_: int) -> Iterator[None]:
    yield


def _allocator(device: str) -> Callable[..., torch.Tensor]:
    def allocate(size: Any, stride: Any, dtype: torch.dtype) -> torch.Tensor:
        return torch.empty_strided(size, stride, dtype=dtype, device=device)

    return allocate


def _reinterpret(tensor: torch.Tensor, size: Any, stride: Any, offset: int = 0) -> torch.Tensor:
    return torch.as_strided(tensor, size, stride, int(tensor.storage_offset()) + offset)
