"""cubin -> a launcher, by torch's own C code, without Triton.

torch._C; seen on 2.11 and 2.13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def launch_cubin_function() -> Callable[..., None] | None:
    """The C launcher of loaded cubins, None in a build without CUDA."""
    launcher: Any = getattr(torch._C, "_StaticCudaLauncher", None)
    return None if launcher is None else launcher._launch_kernel


def load_cubin(path: str, symbol: str, shared: int, device: int) -> tuple[Any, Any]:
    """Load a function of a cubin: (what keeps it loaded, its handle). ``shared`` in bytes.

    2.11 returns (function, registers, spills), 2.13 the owning module before them.
    """
    loaded: Any = torch._C._StaticCudaLauncher._load_kernel(path, symbol, shared, device)
    return (loaded[0], loaded[1]) if len(loaded) == 4 else (None, loaded[0])
