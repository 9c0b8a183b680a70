"""this process -> what torch was told in it that changes the meaning or the code of a model."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import torch

from ...torch_compat import configuration, module_calls, surroundings

_cpu, _cuda, _cudnn, _mkldnn = (
    torch.backends.cpu, torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
)  # fmt: skip
_deterministic: Any = torch.utils.deterministic
# What has a precision of its own for float32, in torch.backends.
_PRECISE = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")


def _fp32_precision(place: str) -> Any:
    return operator.attrgetter(f"{place}.fp32_precision")(torch.backends)


def _autocast(device: str) -> Any:
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else False


# Flag -> what says its value, by the public name that sets it.
_READERS: dict[str, Callable[[], Any]] = {
    "default dtype": torch.get_default_dtype,
    "default device": torch.get_default_device,
    "float32 matmul precision": torch.get_float32_matmul_precision,
    "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
    "deterministic algorithms only warn": torch.is_deterministic_algorithms_warn_only_enabled,
    "fill uninitialized memory": lambda: _deterministic.fill_uninitialized_memory,
    "inference mode": torch.is_inference_mode_enabled,
    "threads": torch.get_num_threads,  # written into the C++ kernels
    "cpu capability": _cpu.get_cpu_capability,
    "mkldnn": lambda: _mkldnn.enabled,
    "mkldnn deterministic": lambda: _mkldnn.deterministic,
    "cudnn": lambda: _cudnn.enabled,
    "cudnn benchmark": lambda: _cudnn.benchmark,
    "cudnn deterministic": lambda: _cudnn.deterministic,
    "cudnn tf32": lambda: _cudnn.allow_tf32,
    "cublas tf32": lambda: _cuda.matmul.allow_tf32,
    "fp16 accumulation": lambda: _cuda.matmul.allow_fp16_accumulation,
    "fp16 reduction": lambda: _cuda.matmul.allow_fp16_reduced_precision_reduction,
    "fp16 split k": lambda: _cuda.matmul.allow_fp16_reduced_precision_reduction_split_k,
    "bf16 reduction": lambda: _cuda.matmul.allow_bf16_reduced_precision_reduction,
    "bf16 split k": lambda: _cuda.matmul.allow_bf16_reduced_precision_reduction_split_k,
    "flash attention": _cuda.flash_sdp_enabled,
    "efficient attention": _cuda.mem_efficient_sdp_enabled,
    "math attention": _cuda.math_sdp_enabled,
    "cudnn attention": _cuda.cudnn_sdp_enabled,
    **{f"fp32 precision {place}": functools.partial(_fp32_precision, place) for place in _PRECISE},
    "autocast cpu": functools.partial(_autocast, "cpu"),
    "autocast cuda": functools.partial(_autocast, "cuda"),
    "cuda": torch.cuda.is_available,
    "global forward hooks": lambda: module_calls.global_hooks()[0],
    "global forward pre hooks": lambda: module_calls.global_hooks()[1],
    "function modes": surroundings.function_modes,
    "dispatch modes": surroundings.dispatch_modes,
}
# Entries that say where to write, how to look for, or how much to tell; as Inductor's own list of
# what its cache key leaves out, without the passes in it.
_SILENT_ENTRIES = (
    "trace.",
    "worker_start_method",
    "compile_threads",
    "fx_graph_cache",
    "fx_graph_remote_cache",
    "autotune_local_cache",
    "autotune_remote_cache",
    "debug_dir_root",
    "log_file_name",
    "verbose",
    "base_dir",
    "xpu.cutlass_dir",  # where it is not set, the working directory at the time of the import
)


def global_flags() -> dict[str, Any]:
    """Flag -> value, of the whole process."""
    return {name: _read(reader) for name, reader in _READERS.items()}


def changed_configuration(module: str) -> dict[str, Any]:
    """The entries of a configuration module that matter, where they are not their defaults."""
    changed = configuration.changed_entries(module)
    return {entry: v for entry, v in changed.items() if not entry.startswith(_SILENT_ENTRIES)}


def _read(reader: Callable[[], Any]) -> Any:
    """A value; torch says none where a precision was set by its old name and by its new one."""
    try:
        return reader()
    except RuntimeError:
        return "set by names that exclude each other"
    except AttributeError:
        return "not in this release"
