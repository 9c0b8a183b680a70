"""this process -> what changes the meaning or the code of a model in it.

torch._C; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from typing import Any

import torch


def global_flags() -> dict[str, Any]:
    """Flag -> value: what changes the meaning or the code of a model for the whole process."""
    flags: dict[str, Any] = {
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "float32 matmul precision": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "deterministic algorithms only warn": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill uninitialized memory": torch.utils.deterministic.fill_uninitialized_memory,
        "inference mode": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),  # written into the C++ kernels
        "cpu capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": torch._C._get_mkldnn_enabled(),
        "mkldnn deterministic": torch._C._get_mkldnn_deterministic(),
        "cudnn": torch._C._get_cudnn_enabled(),
        "cudnn benchmark": torch._C._get_cudnn_benchmark(),
        "cudnn deterministic": torch._C._get_cudnn_deterministic(),
        "cudnn tf32": torch._C._get_cudnn_allow_tf32(),
        "cublas tf32": torch._C._get_cublas_allow_tf32(),
        "fp16 reduction": torch._C._get_cublas_allow_fp16_reduced_precision_reduction(),
        "bf16 reduction": torch._C._get_cublas_allow_bf16_reduced_precision_reduction(),
        "flash attention": torch._C._get_flash_sdp_enabled(),
        "efficient attention": torch._C._get_mem_efficient_sdp_enabled(),
        "math attention": torch._C._get_math_sdp_enabled(),
        "cudnn attention": torch._C._get_cudnn_sdp_enabled(),
        "cuda": torch.cuda.is_available(),
    }
    for device in ("cpu", "cuda"):
        enabled = torch.is_autocast_enabled(device)
        flags[f"autocast {device}"] = torch.get_autocast_dtype(device) if enabled else False
    hooks = torch.nn.modules.module
    for name in ("_global_forward_hooks", "_global_forward_pre_hooks"):
        flags[name.removeprefix("_").replace("_", " ")] = list(getattr(hooks, name).values())
    flags["function modes"] = list(torch.overrides._get_current_function_mode_stack())  # type: ignore[no-untyped-call]
    flags["dispatch modes"] = list(torch.utils._python_dispatch._get_current_dispatch_mode_stack())
    return flags


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


def changed_configuration(name: str) -> dict[str, Any]:
    """The entries of a configuration module of torch that differ from their defaults.

    The defaults are those of the environment as it is now. A module that is not imported has none
    that differ, and is not imported for that: `torch._inductor.config` takes two seconds.
    """
    module = sys.modules.get(name)
    if module is None:
        return {}
    variables = tuple(sorted((k, v) for k, v in os.environ.items() if k.isupper()))
    defaults = _default_configuration(name, variables)
    missing = object()
    return {
        entry: value
        for entry, value in module.get_config_copy().items()
        if not entry.startswith(_SILENT_ENTRIES) and not _equal(defaults.get(entry, missing), value)
    }


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


@functools.lru_cache(maxsize=16)
def _default_configuration(name: str, variables: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What a configuration module would say if it were imported now: a fresh copy of it is."""
    del variables  # what the copy reads
    original = sys.modules[name]
    alias = f"{name} (defaults)"
    spec = importlib.util.spec_from_file_location(alias, original.__file__)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
        return dict(module.get_config_copy())
    finally:
        del sys.modules[alias]
