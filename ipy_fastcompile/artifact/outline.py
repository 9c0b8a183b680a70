"""A manifest -> what a summary says of it, whatever shape it has.

A summary must also show what a load would refuse, so what is not there is just left out, and
``problems`` say what that is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..frozen import frozen
from .described import describe_inputs, tensors_of
from .kinds import CODE, CONSTANTS, FX_GRAPH, NATIVE, TORCH
from .schema import Program, TensorSpecs, read_leniently


@frozen
class KernelSummary:
    """What the manifest says of one kernel; ``why`` is empty where it runs natively."""

    index: int
    digest: str
    native: bool
    why: str
    submodules: int  # that call it, 0 where the manifest does not say
    programs: tuple[str, ...] = ("",)  # that run it


@frozen
class ProgramSummary:
    """What the manifest says of one program: its name, "" for a single one, and what it takes."""

    name: str
    inputs: str  # "input_ids int64[1, seq]"
    conditions: tuple[str, ...]  # on sizes, in words


@frozen
class Outline:
    """The parts of a manifest that a summary shows; None or empty where it does not say.

    ``roles`` gives the kind of a binary member by what the manifest uses it for, ``problems`` why
    a load would refuse the manifest.
    """

    model: str
    parameters: int | None
    submodules: int | None
    programs: tuple[ProgramSummary, ...]
    kernels: tuple[KernelSummary, ...]  # of all programs, each once
    stamp: Mapping[str, Any]
    tensors: TensorSpecs  # parameters, buffers and constants that the programs take
    roles: Mapping[str, str]
    problems: tuple[str, ...]


def read_outline(data: Mapping[str, Any]) -> Outline:
    """The outline of any manifest."""
    manifest, problems = read_leniently(data)
    programs = manifest.programs
    return Outline(
        model=manifest.model.name,
        parameters=manifest.model.parameters,
        submodules=manifest.model.submodules,
        programs=tuple(ProgramSummary(p.name, describe_inputs(p), p.conditions) for p in programs),
        kernels=tuple(_kernels(programs)),
        stamp=manifest.stamp,
        tensors=tensors_of(programs),
        roles={member: role for program in programs for member, role in _roles(program)},
        problems=problems,
    )


def _kernels(programs: Sequence[Program]) -> Iterator[KernelSummary]:
    """The kernels of all programs; one that several of them run is told once."""
    found: dict[tuple[Any, ...], KernelSummary] = {}
    for number, program in enumerate(programs):
        calls = Counter(program.stitched.values())
        own: set[tuple[str, str]] = set()
        for index, entry in enumerate(program.kernels):
            stored = (entry.text, entry.torch)  # the members that another program may share
            key = (number, index) if stored in own or not any(stored) else stored
            own.add(stored)
            new = KernelSummary(len(found), entry.digest, entry.native, entry.why, 0, ())
            known = found.get(key, new)
            found[key] = replace(
                known,
                submodules=known.submodules + calls[index],
                programs=(*known.programs, program.name),
            )
    yield from found.values()


def _roles(program: Program) -> Iterator[tuple[str, str]]:
    yield from ((program.fx, FX_GRAPH), (program.code, CODE), (program.stored, CONSTANTS))
    variants = (variant for entry in program.kernels for _, variant in entry.sizes)
    for kernel in (*program.kernels, *variants):
        yield kernel.torch, TORCH
        yield from ((library.member, NATIVE) for library in kernel.libraries)
        yield from ((launch.cubin, NATIVE) for launch in kernel.launches)
