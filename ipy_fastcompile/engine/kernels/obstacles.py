"""compiled kernel -> what keeps it off the native path, where nothing runs around a kernel."""

from __future__ import annotations

from collections.abc import Iterator

from ...torch_compat.compiled import CompiledParts

# Kinds of outputs that a wrapper hands on as the kernel returns them.
_EXACT = frozenset(
    {"non_alias", "unsafe_view_alias", "custom_function_view", "alias_of_input", "is_input"}
)


def obstacles_of(parts: CompiledParts) -> Iterator[str]:
    """What PyTorch's own loader does at each call of a kernel and the native path does not."""
    wrapping = parts.wrapping
    if wrapping.mutated_outside:
        yield f"inputs {list(wrapping.mutated_outside)} are mutated outside the kernel"
    if wrapping.intermediate_bases:
        yield "outputs are views of an intermediate value"
    for position, kind in enumerate(wrapping.outputs):
        if kind not in _EXACT:
            yield f"output {position} is {kind}"
    if wrapping.tokens:
        yield "ops with effects pass tokens"
    if wrapping.generator_states:
        yield "random number generator states are inputs"
    if wrapping.has_subclass_inputs:
        yield "an input is a tensor subclass"
    if wrapping.unwraps_subclasses:
        yield "tensor subclasses are unwrapped"
    if wrapping.has_backward:
        yield "it has a backward"
    for wrapper in wrapping.wrappers:
        yield f"{wrapper} is in effect"
    if wrapping.has_script_objects:
        yield "it holds script objects"
    if wrapping.has_frozen_parameters:
        yield "parameters are frozen into it"
    overlap = set(parts.mutated_inputs) & set(parts.checked_inputs)
    if overlap:
        yield f"inputs {sorted(overlap)} are mutated and need an alignment check"
    if wrapping.is_partitioned:
        yield "its output code is partitioned for CUDA graphs"
    if parts.constants:
        yield f"its output code holds tensors ({', '.join(sorted(parts.constants))})"
