"""compiled kernel -> what AOTAutograd and Inductor do around it at each call, as plain data.

torch._functorch._aot_autograd and the compiled graph of torch._inductor; seen on 2.11 and 2.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wrapping:
    """What runtime wrappers would do at each call, read off their metadata; by default nothing.

    ``outputs`` are the kinds of outputs, by the names of `OutputType`. ``wrappers`` are the classes
    of further wrappers that are in effect.
    """

    mutated_outside: tuple[int, ...] = ()
    intermediate_bases: int = 0
    outputs: tuple[str, ...] = ()
    tokens: int = 0
    generator_states: int = 0
    has_subclass_inputs: bool = False
    unwraps_subclasses: bool = False
    has_backward: bool = False
    wrappers: tuple[str, ...] = ()
    has_script_objects: bool = False
    has_frozen_parameters: bool = False
    is_partitioned: bool = False


def read_wrapping(entry: Any, code: Any) -> Wrapping:
    """What the bundled entry of a compile, and the compiled graph in it, say of their wrappers."""
    from torch._functorch._aot_autograd.schemas import PlainTensorMeta

    metadata = entry.runtime_metadata
    inputs = metadata.subclass_inp_meta or ()
    wrappers = [w for w in entry.dispatch_wrappers if getattr(w, "needs_post_compile", True)]
    return Wrapping(
        mutated_outside=tuple(metadata.mutated_inp_runtime_indices),
        intermediate_bases=int(metadata.num_intermediate_bases or 0),
        outputs=tuple(info.output_type.name for info in metadata.output_info),
        tokens=len(metadata.tokens),
        generator_states=int(metadata.num_graphsafe_rng_states or 0),
        has_subclass_inputs=any(not isinstance(m, PlainTensorMeta) for m in inputs),
        unwraps_subclasses=entry.maybe_subclass_meta is not None,
        has_backward=entry.compiled_bw is not None,
        wrappers=tuple(type(wrapper).__name__ for wrapper in wrappers),
        has_script_objects=bool(getattr(code, "torchbind_constants", None)),
        has_frozen_parameters=bool(getattr(code, "frozen_param_names", None)),
        is_partitioned=bool(getattr(code, "partition_maps", None)),
    )
