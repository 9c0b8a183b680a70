"""bundle of Triton kernels -> each as a cubin, and how torch's C launcher starts it.

torch._inductor and its static launcher; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class TriedConfiguration(NamedTuple):
    """A configuration of a Triton kernel; what is not known of it is None. Time in seconds."""

    configuration: str
    seconds: float | None = None
    registers: int | None = None
    spills: int | None = None


Tried = dict[str, tuple[TriedConfiguration, ...]]  # by the name of the kernel


def read_launches(
    data: bytes, cache_key: str, bundled: Any, inputs: Callable[[], Sequence[Any]]
) -> tuple[dict[str, CudaLaunch | str], Tried]:
    """The launch of every Triton kernel in a bundle, after autotuning those that have a choice.

    The second is what those were tried with.
    """
    tuners = [static.kernel for static in bundled.static_autotuners]
    if not tuners:
        return {}, {}
    chosen: dict[str, Any] = {}
    tried: Tried = {}
    if any(len(tuner.compile_results) > 1 for tuner in tuners):
        with _watched_tuning(tried):
            chosen = _autotuned(data, cache_key, inputs())
    cubins = {}
    for kernel in bundled.kernel_artifacts:
        for file in kernel.artifacts:
            if file.filename.endswith(".cubin"):
                cubins[kernel.kernel_hash] = file.payload
    launches = {
        tuner.inductor_meta["kernel_name"]: _read_launch(tuner, chosen, cubins) for tuner in tuners
    }
    return launches, tried


@contextlib.contextmanager
def _watched_tuning(tried: Tried) -> Iterator[None]:
    """While this lasts, what a kernel is timed with, and what that takes, is noted in ``tried``.

    `CachingAutotuner.benchmark_all_configs` returns milliseconds by launcher, infinite ones of a
    configuration that it did not run, as its registers would spill (2.11 and 2.13).
    """
    from torch._inductor.runtime.triton_heuristics import CachingAutotuner

    tuner: Any = CachingAutotuner
    original = tuner.benchmark_all_configs

    def benchmark(self: Any, *args: Any, **kwargs: Any) -> Any:
        timings = original(self, *args, **kwargs)
        tried[self.inductor_meta.get("kernel_name", "")] = tuple(
            TriedConfiguration(
                str(launcher.config),
                milliseconds / 1000 if math.isfinite(milliseconds) else None,
                getattr(launcher, "n_regs", None),
                getattr(launcher, "n_spills", None),
            )
            for launcher, milliseconds in timings.items()
        )
        return timings

    tuner.benchmark_all_configs = benchmark
    try:
        yield
    finally:
        tuner.benchmark_all_configs = original


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
