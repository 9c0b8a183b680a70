"""cubins -> launchers: Triton kernels run by torch's C launcher, without Triton.

A launcher is generated text like everything else that runs: it computes the grid and passes the
arguments that the cubin takes. See `launch_text`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from ..artifact.schema import Launch
from ..errors import KernelError
from ..torch_compat import cubins as torch_cubins

# Loaded cubins of this process: (digest, symbol, device) -> function handle.
_FUNCTIONS: dict[tuple[str, str, int], tuple[Any, Any]] = {}


def load_launches(
    launches: Sequence[Launch], read: Callable[[str], bytes]
) -> dict[str, Callable[..., Any]]:
    """A launcher for every launch record of a kernel, by its name in the kernel's text.

    Raises KernelError when this build of torch has no launcher, or the cubin does not load.
    """
    if not launches:
        return {}
    launcher = torch_cubins.launch_cubin_function()
    if launcher is None:
        raise KernelError(
            "This build of torch cannot launch cubins.", "Use a CUDA build of torch 2.11 or newer."
        )
    return {launch.name: _make(launcher, launch, read) for launch in launches}


def _make(launcher: Any, launch: Launch, read: Callable[[str], bytes]) -> Any:
    key = (launch.cubin, launch.symbol, launch.device)
    if key not in _FUNCTIONS:
        data = read(launch.cubin)
        _FUNCTIONS[key] = _load_cubin(data, launch.symbol, launch.shared, launch.device)
    module, function = _FUNCTIONS[key]
    from .bind import compile_text, register_text, run_code

    text = launch_text(launch)
    code = compile_text(text, "launcher")
    register_text(code.co_filename, text)
    namespace = run_code(code, {"launch_kernel": launcher, "function": function, "module": module})
    return namespace["launch"]


def launch_text(launch: Launch) -> str:
    """The launcher's source: grid from the arguments, then one call into torch's C launcher."""
    types = launch.argument_types + "O" * launch.scratch_arguments
    passed = [*launch.passed, *["None"] * launch.scratch_arguments]
    x, y, z = launch.grid
    setup = "".join(f"    {line}\n" for line in launch.grid_setup)
    return (
        f"def launch({', '.join([*launch.parameters, 'stream'])}):\n"
        f"{setup}"
        f"    launch_kernel(function, {x}, {y}, {z}, {launch.num_warps}, "
        f"{launch.shared}, {types!r}, "
        f"({''.join(f'{p}, ' for p in passed).rstrip(' ')}), stream)\n"
    )


def _load_cubin(data: bytes, symbol: str, shared: int, device: int) -> tuple[Any, Any]:
    try:
        with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as directory:
            path = os.path.join(directory, "kernel.cubin")
            with open(path, "wb") as file:
                file.write(data)
            return torch_cubins.load_cubin(path, symbol, shared, device)
    except (OSError, RuntimeError) as error:
        raise KernelError(
            f"The cubin of {symbol} cannot be loaded: {error}.",
            'Load with on_mismatch="recompile".',
        ) from error
