"""Programs whose fields have the right types -> where they contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .fields import Notes
from .records import KernelEntry, Program, Shape, View

_MARKS = frozenset({"parameter", "unused", "input"})


def check_programs(programs: Sequence[Program], notes: Notes) -> None:
    """Note every field that does not fit the others: what a load would stumble over."""
    if not programs:
        notes.add("programs", "has no entry")
    names = [program.name for program in programs]
    if len(names) > 1 and (len({*names}) != len(names) or not all(names)):
        notes.add("programs", "has a program without a name of its own")
    for position, program in enumerate(programs):
        for place, what in _contradictions(program):
            notes.add(f"programs[{position}].{place}", what)


def _contradictions(program: Program) -> Iterator[tuple[str, str]]:
    signature = program.signature
    names = frozenset(program.parameters.names if program.ties or program.written else ())
    kinds = (*program.parameters.kinds, *program.constants.kinds)
    marks = signature.placeholders
    inputs = len(signature.inputs)
    if not _MARKS.issuperset(marks):
        yield "signature.placeholders", "has a mark that is none of parameter, unused and input"
    if marks.count("parameter") != len(program.parameters):
        yield "signature.placeholders", f"does not mark {len(program.parameters)} parameters"
    if marks.count("input") != inputs:
        yield "signature.placeholders", f"does not mark {inputs} inputs"
    if signature.n_positional < 0:
        yield "signature.n_positional", "is negative"
    if len(program.example) != inputs:
        yield "example", f"has {len(program.example)} leaves, and the signature {inputs} inputs"
    if not all(_is_whole(view, program.parameters.shapes) for view in program.views):
        yield "views", "has a view that is not of whole parameters"
    if program.ties and not names.issuperset(tie.name for tie in program.ties):
        yield "ties", "names what is no parameter"
    if program.written and not names.issuperset(program.written):
        yield "written", "names what is no parameter"
    if not all(0 <= position < inputs for position in program.written_inputs):
        yield "written_inputs", "has the number of no input"
    if not program.stored and "constant" in kinds:
        yield "stored", "is empty, and there are constants"
    if max(program.stitched.values(), default=-1) >= len(program.kernels):
        yield "stitched", "has the number of no kernel"
    for position, kernel in enumerate(program.kernels):
        yield from _of_kernel(f"kernels[{position}]", kernel, len(program.symbols))


def _is_whole(view: View, shapes: Sequence[Shape]) -> bool:
    """Whether a view reaches as far as the tensors that it is of, and no further."""
    size, stride, positions = view
    if len(size) != len(stride) or min((*size, *stride, *positions), default=0) < 0:
        return False
    span = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    whole = {math.prod(shapes[n]) if n < len(shapes) else -1 for n in positions}
    return whole <= {span} and math.prod(size) == span


def _of_kernel(place: str, kernel: KernelEntry, symbols: int) -> Iterator[tuple[str, str]]:
    if kernel.native and not kernel.text:
        yield f"{place}.text", "is empty, and the kernel is native"
    for position, (sizes, variant) in enumerate(kernel.sizes):
        inner = f"{place}.sizes[{position}]"
        if len(sizes) != symbols:
            yield f"{inner}.at", f"has {len(sizes)} sizes, and the program {symbols} symbols"
        yield from _of_kernel(inner, variant, symbols)
