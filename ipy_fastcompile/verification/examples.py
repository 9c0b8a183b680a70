"""kinds of calls + programs of an artifact -> the call that each program was compiled of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..artifact.schema import ExampleTensor, ExampleValue, Program
from ..engine.calls.asked_kinds import Asked
from ..engine.calls.served import with_sizes


def examples_of(kinds: Sequence[Asked], programs: Sequence[Program]) -> dict[str, Asked]:
    """The call of each program by its name; none for a program of a kind that is not there.

    A kind of call may have become several programs, ``call_1`` and ``call_1.2``, each with an
    example of its own sizes.
    """
    of_name = {kind.name: kind for kind in kinds}
    found: dict[str, Asked] = {}
    for program in programs:
        kind = of_name.get(program.name) or of_name.get(program.name.partition(".")[0])
        if kind is None and len(kinds) == 1:  # it had no name when it was the only one
            (kind,) = kinds
        if kind is not None:
            found[program.name] = _example(kind, program)
    return found


def _example(kind: Asked, program: Program) -> Asked:
    if kind.recorded is None:
        return kind
    sizes: dict[tuple[str, int | None], int] = {}
    for leaf, value in zip(program.signature.inputs, program.example, strict=True):
        if isinstance(value, ExampleTensor):
            sizes |= {(leaf.path, dim): size for dim, size in enumerate(value.shape)}
        elif isinstance(value, ExampleValue) and type(value.value) is int:
            sizes[leaf.path, None] = value.value
    args, kwargs = with_sizes(kind.recorded, sizes)
    return replace(kind, name=program.name, args=args, kwargs=kwargs)
