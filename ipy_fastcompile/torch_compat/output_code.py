"""name in Inductor's output code -> what it calls, without Inductor.

torch._C; seen on 2.11 to 2.14.
"""

from __future__ import annotations

import os
from typing import Any

import torch


def output_code_functions() -> dict[str, Any]:
    """The C functions that Inductor's output code calls by these names.

    They live in torch's C extension, so no Python of `torch._dynamo` is imported.
    """
    guards = torch._C._dynamo.guards
    functions = {
        "assert_size_stride": guards.assert_size_stride,
        "assert_tensor_metadata": _assert_tensor_metadata,
        "assert_alignment": guards.assert_alignment,
        "empty_strided_cpu": guards._empty_strided_cpu,
        "reinterpret_tensor": guards._reinterpret_tensor,
    }
    for name in ("copy_if_misaligned", "assert_size_stride_grouped"):  # from 2.13; from 2.14
        if hasattr(guards, name):
            functions[name] = getattr(guards, name)
    if hasattr(guards, "_empty_strided_cpu_pinned"):
        functions["empty_strided_cpu_pinned"] = guards._empty_strided_cpu_pinned
    if hasattr(guards, "_empty_strided_cuda"):
        functions["empty_strided_cuda"] = guards._empty_strided_cuda
    if hasattr(torch._C, "_cuda_getCurrentRawStream"):
        functions["get_raw_stream"] = torch._C._cuda_getCurrentRawStream
    if hasattr(torch.cuda, "_DeviceGuard"):
        functions["device_guard"] = torch.cuda._DeviceGuard
    return functions


def _assert_tensor_metadata(
    tensor: torch.Tensor | None,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    dtype: torch.dtype,
    op: str | None = None,
) -> None:
    """Raise RuntimeError when what an op returned is not what its meta function promised.

    As Inductor's from 2.14 on, which lives in a module that a native load does not import.
    """
    if tensor is None:
        return
    if tensor.dtype != dtype:
        raise RuntimeError(
            f"expected dtype {dtype} but got {tensor.dtype}{f' from {op}' if op else ''}: "
            "what the op says about its output is wrong; torch.library.opcheck tests it."
        )
    torch._C._dynamo.guards.assert_size_stride(tensor, size, stride, op)


def provide_data_pointer_function() -> None:
    """Tell the C++ kernels of Inductor where the function is that reads a tensor's data pointer.

    Their bindings read the address from this environment variable when they are imported.
    """
    address = torch._C._dynamo.guards._torchinductor_pyobject_tensor_data_ptr
    os.environ["_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR"] = str(address)
