"""Inductor's output code -> what became of its buffers: allocated, given another's memory, written.

It says so itself: a buffer that takes over memory has the comment ``# reuse``, and a kernel's
argument that is read and written is called ``in_out_ptr``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..explained import Explained
from ..records import KernelRecord

_ALLOCATED = re.compile(
    r"(\w+) = empty_strided\w*\(\((.*?)\), \(.*?\), (?:device='\w+', dtype=)?torch\.(\w+)\)"
)
_REUSED = re.compile(r"(\w+) = (?:reinterpret_tensor\()?(\w+)\b.*# reuse")
_CALLED = re.compile(r"(\w+)(?:\.run)?\((.*)\)$")
_IN_OUT = re.compile(r"\bin_out_ptr\d+\b")


@dataclass(frozen=True)
class Buffers:
    """``allocated`` are names and what is in them, ``reused`` pairs of the new and the old name,
    ``in_place`` those that a kernel reads and writes, each with the kernel.
    """

    allocated: Sequence[tuple[str, str]]
    reused: Sequence[tuple[str, str]]
    in_place: Sequence[tuple[str, str]]


def buffers_of(kernel: KernelRecord, explained: Explained) -> Buffers:
    """What a kernel's output code does with memory; values are as the scheduler's nodes say."""
    value_of = {name: node.value for node in explained.nodes for name in node.buffers}
    written = {source.name: _in_out_positions(source.text) for source in kernel.sources}
    allocated, reused, in_place = [], [], []
    body = kernel.output_code.rpartition("def call(")[2]
    for line in map(str.strip, body.splitlines()):
        if found := _ALLOCATED.match(line):
            shape = ", ".join(filter(None, (part.strip() for part in found[2].split(","))))
            allocated.append((found[1], value_of.get(found[1]) or f"{found[3]}[{shape}]"))
        elif found := _REUSED.match(line):
            reused.append((found[1], found[2]))
        elif (found := _CALLED.match(line)) and found[1] in written:
            arguments = [part.strip() for part in found[2].split(",")]
            in_place += [
                (arguments[at], found[1]) for at in written[found[1]] if at < len(arguments)
            ]
    return Buffers(allocated, reused, in_place)


def _in_out_positions(text: str) -> list[int]:
    """Which arguments of a C++ or Triton function are read and written."""
    for head in re.findall(r"(?:\bkernel|\bdef \w+)\(([^)]*)\)", text):
        arguments = head.split(",")
        if any("_ptr" in argument for argument in arguments):
            return [at for at, argument in enumerate(arguments) if _IN_OUT.search(argument)]
    return []
