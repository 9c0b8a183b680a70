"""bundle of Triton kernels -> each as a cubin, and how torch's C launcher starts it.

torch._inductor and its static launcher; seen on 2.11 and 2.13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from . import inductor


@dataclass(frozen=True)
class CudaLaunch:
    """A Triton kernel as a cubin, and how torch's C launcher starts it: no Triton is needed.

    ``name`` is the kernel's name in the output code, ``symbol`` the function's in the cubin.
    ``parameters`` are what the output code passes, in order; ``passed`` those that the cubin
    takes, with their types in ``argument_types`` ("O" pointer, "i" int32, "l" int64, "f" float,
    "d" double), followed by ``scratch_arguments`` null pointers. ``grid`` are Python expressions
    over the parameters, ``grid_setup`` assignments before them. ``shared`` in bytes.

    Source: torch/_inductor/runtime/static_triton_launcher.py, torch 2.11 and later.
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


def read_launches(
    data: bytes, cache_key: str, bundled: Any, inputs: Callable[[], Sequence[Any]]
) -> dict[str, CudaLaunch | str]:
    """The launch of every Triton kernel in a bundle, after autotuning those that have a choice."""
    tuners = [static.kernel for static in bundled.static_autotuners]
    if not tuners:
        return {}
    chosen: dict[str, Any] = {}
    if any(len(tuner.compile_results) > 1 for tuner in tuners):
        chosen = _autotuned(data, cache_key, inputs())
    cubins = {}
    for kernel in bundled.kernel_artifacts:
        for file in kernel.artifacts:
            if file.filename.endswith(".cubin"):
                cubins[kernel.kernel_hash] = file.payload
    return {
        tuner.inductor_meta["kernel_name"]: _read_launch(tuner, chosen, cubins) for tuner in tuners
    }


def _autotuned(data: bytes, cache_key: str, inputs: Sequence[Any]) -> dict[str, Any]:
    """Run a kernel once, which makes Inductor choose configurations; kernel name -> the choice.

    The tuners are those of the module that is loaded meanwhile from the path of this cache key:
    another module may have a kernel of the same name (`CompiledFxGraph.after_deserialization`,
    2.11 and 2.13).
    """
    from torch._inductor.codecache import PyCodeCache, get_path

    before = {id(module) for module in PyCodeCache.modules}
    with torch.no_grad():
        inductor.deserialize_kernel(data)(*inputs)
    path = get_path(cache_key, "py")[2]
    own = [m for m in PyCodeCache.modules if m.__file__ == path]
    # A module that was loaded without constants is kept, and used again for the same path.
    loaded = [m for m in own if id(m) not in before] or own
    found: dict[str, Any] = {}
    for module in loaded[-1:]:
        for name, value in vars(module).items():
            launchers = getattr(value, "launchers", None)
            if name.startswith("triton_") and launchers and len(launchers) == 1:
                found[name] = launchers[0].config
    return found


def _read_launch(
    tuner: Any, chosen: Mapping[str, Any], cubins: Mapping[str, bytes]
) -> CudaLaunch | str:
    from torch._inductor.runtime.runtime_utils import triton_hash_to_path_key
    from torch._inductor.runtime.triton_heuristics import GridExpr, config_to_dict

    name = tuner.inductor_meta["kernel_name"]
    if getattr(tuner, "reset_to_zero_arg_names", None):
        return f"{name} resets arguments to zero before each launch"
    results = list(tuner.compile_results)
    if len(results) > 1:
        if name not in chosen:
            return f"{name} has {len(results)} configurations and was not autotuned"
        wanted = config_to_dict(chosen[name])
        results = [r for r in results if config_to_dict(r.config) == wanted]
        if not results:
            return f"{name} was tuned to a configuration that is not bundled"
    result = results[0]
    kernel = result.kernel
    if not hasattr(kernel, "arg_tys"):
        return f"{name} has no statically launched form"
    cubin = getattr(kernel, "cubin_raw", None) or cubins.get(triton_hash_to_path_key(kernel.hash))
    if not cubin:
        return f"{name} was bundled without its cubin"
    _, parameters, none_names = result._get_arg_lists(kernel.arg_names, kernel.declared_constexprs)
    passed = [
        argument
        for position, argument in enumerate(kernel.arg_names)
        if position not in kernel.full_constexprs and argument not in none_names
    ]
    grid = GridExpr.from_meta(result.inductor_meta, result.config)
    return CudaLaunch(
        name=name,
        symbol=kernel.name,
        cubin=cubin,
        parameters=tuple(parameters),
        passed=tuple(passed),
        argument_types=kernel.arg_tys,
        scratch_arguments=int(kernel.has_global_scratch)
        + int(getattr(kernel, "has_profile_scratch", False)),
        num_warps=int(kernel.num_warps),
        shared=int(kernel.shared),
        grid_setup=tuple(map(str, grid.prefix)),
        grid=(str(grid.x_grid), str(grid.y_grid), str(grid.z_grid)),
        device=int(result.compile_meta.get("device") or 0),
        chosen=str(result.config),
    )
