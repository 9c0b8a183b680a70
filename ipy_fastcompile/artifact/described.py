"""Programs -> what they take: each one on a line, and the tensors of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .inert import inert
from .schema import ExampleTensor, ExampleValue, Program, TensorSpecs

_SHOWN = 4  # inputs of a program; a cache has two for every layer


def describe_inputs(program: Program) -> str:
    """``input_ids int64[1, seq], use_cache=True``: what a program takes, on one line."""
    shown = []
    # A manifest that no load takes may have examples of some inputs only.
    for entry, example in zip(program.signature.inputs, program.example, strict=False):
        if isinstance(example, ExampleTensor):
            sizes = ", ".join(map(str, entry.dims or ()))
            shown.append(f"{entry.path} {example.dtype}[{sizes}]")
        elif isinstance(example, ExampleValue) and example.value is not None:
            if not entry.path.isidentifier():
                continue  # plain data inside of a container
            shown.append(f"{entry.path}={example.value!r:.40}")
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def tensors_of(programs: Iterable[Program]) -> TensorSpecs:
    """The parameters, buffers and constants that the programs take, each once."""
    return TensorSpecs.of(dict.fromkeys(spec for p in programs for spec in p.parameters))


def describe_programs(programs: Sequence[Program], *facts: str) -> str:
    """``Llama(input_ids int64[1, seq]), 3 kernels``, or of several programs a list behind that.

    ``facts`` are told after the kernels.
    """
    stored = {(kernel.text, kernel.torch) for p in programs for kernel in p.kernels}
    count = f"{len(stored)} kernel{'' if len(stored) == 1 else 's'}"
    calls = [f"({describe_inputs(program)})" for program in programs]
    if len(programs) == 1:
        return inert(", ".join([f"{programs[0].model}{calls[0]}", count, *facts]))
    head = ", ".join([programs[0].model, f"{len(programs)} programs", count, *facts])
    listed = ", ".join(f"{p.name}{call}" for p, call in zip(programs, calls, strict=True))
    return inert(f"{head}: {listed}")
