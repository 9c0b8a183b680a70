"""Inductor's autotuned Triton kernels -> cubins with the launch that torch's C launcher takes.

Inductor keeps, for every Triton kernel of an artifact, a statically launched form: the cubin, its
argument types, shared memory and warps, and the grid as Python expressions over the arguments
(torch/_inductor/runtime/static_triton_launcher.py, torch 2.11 and later). That is all
`torch._C._StaticCudaLauncher` needs, so neither Triton nor Inductor is imported to launch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CudaLaunch:
    """How to launch one cubin.

    ``name`` is the name in the output code, ``symbol`` the function's in the cubin. ``parameters``
    are the names the output code passes, in order; ``passed`` those that the cubin takes, with
    their types in ``argument_types`` ("O" pointer, "i" int32, "l" int64, "f" float, "d" double).
    ``grid_setup`` are assignments that ``grid`` needs. ``shared`` in bytes.
    """

    name: str
    symbol: str
    cubin: bytes
    parameters: tuple[str, ...]
    passed: tuple[str, ...]
    argument_types: str
    scratch_arguments: int
    num_warps: int
    shared: int
    grid_setup: tuple[str, ...]
    grid: tuple[str, str, str]
    device: int
    chosen: str  # the configuration that autotuning chose


def read_launch(name: str, kernel_name: str, autotuners: Sequence[Any]) -> CudaLaunch | str:
    """The launch of a Triton kernel, or the reason why it cannot be launched natively."""
    for autotuner in autotuners:
        if autotuner.inductor_meta.get("kernel_name") == kernel_name:
            break
    else:
        return f"{name} has no statically launched form"
    if getattr(autotuner, "reset_to_zero_arg_names", None):
        return f"{name} resets arguments to zero before each launch"
    results = list(autotuner.compile_results)
    chosen = results[0] if len(results) == 1 else _best(autotuner, results)
    if chosen is None:
        return f"{name} has {len(results)} configurations and was not autotuned"
    kernel = chosen.kernel
    cubin = getattr(kernel, "cubin_raw", None) or _read(getattr(kernel, "cubin_path", None))
    if not cubin:
        return f"{name} was saved without its cubin"
    return _launch_of(name, chosen, kernel, cubin)


def _read(path: str | None) -> bytes | None:
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


def _best(autotuner: Any, results: Sequence[Any]) -> Any | None:
    """The configuration that autotuning recorded for this kernel, if it ran."""
    launchers = getattr(autotuner, "launchers", None) or []
    if len(launchers) == 1:
        return next((r for r in results if r.config == launchers[0].config), None)
    return None


def _launch_of(name: str, chosen: Any, kernel: Any, cubin: bytes) -> CudaLaunch | str:
    from ..torch_internals import triton_grid

    _, parameters, none_names = chosen._get_arg_lists(kernel.arg_names, kernel.declared_constexprs)
    passed = [
        argument
        for position, argument in enumerate(kernel.arg_names)
        if position not in kernel.full_constexprs and argument not in none_names
    ]
    grid = triton_grid(chosen.inductor_meta, chosen.config)
    if grid is None:
        return f"{name} has a grid that is not an expression over its arguments"
    setup, x, y, z = grid
    scratch = int(kernel.has_global_scratch) + int(kernel.has_profile_scratch)
    return CudaLaunch(
        name=name,
        symbol=kernel.name,
        cubin=cubin,
        parameters=tuple(parameters),
        passed=tuple(passed),
        argument_types=kernel.arg_tys,
        scratch_arguments=scratch,
        num_warps=int(kernel.num_warps),
        shared=int(kernel.shared),
        grid_setup=tuple(setup),
        grid=(str(x), str(y), str(z)),
        device=int(chosen.compile_meta.get("device") or 0),
        chosen=str(chosen.config),
    )
