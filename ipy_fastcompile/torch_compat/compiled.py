"""bytes of a compiled kernel -> its source, libraries, launches and strides.

torch._inductor; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class CompiledParts:
    """What a serialized artifact of `standalone_compile(aot=True)` holds.

    ``obstacles`` say what AOTAutograd must do around the kernel that the native path does not do;
    ``constants`` are tensors the output code refers to by name; ``checked_inputs`` are the indices
    of inputs whose alignment (16 bytes) is checked on a GPU. ``launches`` has the statically
    launched form of every Triton kernel, or the reason why it has none.
    """

    output_code: str
    aten_graph: str
    line_map: tuple[tuple[int, str], ...]
    obstacles: tuple[str, ...]
    constants: Mapping[str, torch.Tensor]
    mutated_inputs: tuple[int, ...]
    checked_inputs: tuple[int, ...]
    launches: Mapping[str, CudaLaunch | str]


def open_compiled(data: bytes, inputs: Callable[[], Sequence[Any]] = tuple) -> CompiledParts:
    """Look inside a serialized artifact made in this process.

    ``inputs`` makes inputs it can be run on, for GPU kernels that have to be autotuned.
    """
    bundle = pickle.loads(data)
    entry = bundle[0] if isinstance(bundle, tuple) else bundle
    code = entry.compiled_fw.result
    bundled = getattr(code, "_triton_bundle", None)
    return CompiledParts(
        output_code=code.source_code,
        aten_graph=code.inductor_post_grad_graph_str or entry.aot_forward_graph_str or "",
        line_map=_line_map(code),
        obstacles=tuple(_wrapper_obstacles(entry, code)),
        constants=dict(code.constants or {}),
        mutated_inputs=tuple(sorted(code.mutated_input_idxs or ())),
        checked_inputs=tuple(code.inputs_to_check or ()),
        launches=_read_launches(data, code.cache_key, bundled, inputs) if bundled else {},
    )


def output_strides(data: bytes) -> tuple[tuple[str, ...] | None, ...]:
    """The strides of what a serialized artifact returns, as expressions over the symbols."""
    bundle = pickle.loads(data)
    entry = bundle[0] if isinstance(bundle, tuple) else bundle
    strides = entry.compiled_fw.result.output_strides or ()
    return tuple(None if s is None else tuple(map(str, s)) for s in strides)


def _read_launches(
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


def _line_map(code: Any) -> tuple[tuple[int, str], ...]:
    """Where in the output code the work on each node begins, with the node's stack trace.

    Inductor counts lines before it puts the block that autotunes, a string, in front of its text.
    """
    found = [(line, text) for line, text in (code.cache_linemap or ()) if text]
    if not found:
        return ()
    first = ast.parse(code.source_code).body[0]
    is_string = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    offset = (first.end_lineno or 0) if is_string else 0
    return tuple((line + offset, text) for line, text in found)


def _wrapper_obstacles(entry: Any, code: Any) -> Iterator[str]:
    """What AOTAutograd's runtime wrappers would do at each call, read off their metadata."""
    from torch._functorch._aot_autograd.schemas import OutputType, PlainTensorMeta

    metadata = entry.runtime_metadata
    if metadata.mutated_inp_runtime_indices:
        yield f"inputs {metadata.mutated_inp_runtime_indices} are mutated outside the kernel"
    if metadata.num_intermediate_bases:
        yield "outputs are views of an intermediate value"
    exact = (
        OutputType.non_alias,
        OutputType.unsafe_view_alias,
        OutputType.custom_function_view,
        OutputType.alias_of_input,
        OutputType.is_input,
    )
    for position, info in enumerate(metadata.output_info):
        if info.output_type not in exact:
            yield f"output {position} is {info.output_type.name}"
    if metadata.tokens:
        yield "ops with effects pass tokens"
    if metadata.num_graphsafe_rng_states:
        yield "random number generator states are inputs"
    if any(not isinstance(m, PlainTensorMeta) for m in metadata.subclass_inp_meta or ()):
        yield "an input is a tensor subclass"
    if entry.maybe_subclass_meta is not None:
        yield "tensor subclasses are unwrapped"
    if entry.compiled_bw is not None:
        yield "it has a backward"
    for wrapper in entry.dispatch_wrappers:
        if getattr(wrapper, "needs_post_compile", True):
            yield f"{type(wrapper).__name__} is in effect"
    if getattr(code, "torchbind_constants", None):
        yield "it holds script objects"
    if getattr(code, "frozen_param_names", None):
        yield "parameters are frozen into it"
    overlap = set(code.mutated_input_idxs or ()) & set(code.inputs_to_check or ())
    if overlap:
        yield f"inputs {sorted(overlap)} are mutated and need an alignment check"
    if getattr(code, "partition_maps", None):
        yield "its output code is partitioned for CUDA graphs"
