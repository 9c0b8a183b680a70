"""Inductor's output code -> its `call`, for which a reader came, and what is folded around it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .units import format_count

_DOCSTRING = re.compile(r'\Ar?"""(?:[^"]|"(?!""))*"""')
_CALL = re.compile(r"^( *)def call\(")
_PARTITION = re.compile(r"^def partition_\d+\(")
_KERNEL = re.compile(r"^\w+ = async_compile\.")
_IMPORT = re.compile(r"^(?:import|from) \w")
_FUNCTION = re.compile(r"^(?:def|class) (\w+)")


@dataclass(frozen=True)
class Region:
    """Lines ``first`` to ``last``, from 0, and what is in them."""

    first: int
    last: int
    label: str


def call_line(code: str) -> int:
    """The line, from 0, at which `call` begins, or what it is made of; 0 where there is none."""
    begin, _ = _call_region(code.split("\n"))
    return begin


def fold_around_call(code: str) -> tuple[Region, ...]:
    """What lies before and after `call`; nothing where there is none."""
    lines = code.removesuffix("\n").split("\n")
    begin, end = _call_region(lines)
    if begin == end:
        return ()
    parts = [(0, begin - 1), (end, len(lines) - 1)]
    return tuple(
        Region(first, last, f"{format_count(last - first + 1, 'line')}{_words(lines, first, last)}")
        for first, last in parts
        if first < last
    )


def _call_region(lines: list[str]) -> tuple[int, int]:
    """The lines of `call`, from the first to the one after the last; (0, 0) for none."""
    # The last: the docstring that Inductor tunes in is code again.
    at = max((n for n, line in enumerate(lines) if _CALL.match(line)), default=-1)
    if at < 0:
        return 0, 0
    parts = [n for n, line in enumerate(lines) if _PARTITION.match(line)]
    indent = len(lines[at]) - len(lines[at].lstrip())
    end = next((n for n in range(at + 1, len(lines)) if _ends(lines[n], indent)), len(lines))
    return min([at, *parts]), end


def _ends(line: str, indent: int) -> bool:
    """Whether a line no longer belongs to a function that was indented like this."""
    return bool(line.strip()) and len(line) - len(line.lstrip()) <= indent


def _words(lines: list[str], first: int, last: int) -> str:
    """``: imports, 4 kernels``, of what begins in these lines."""
    # Inductor tunes in a docstring at the top, whose text is code again.
    shown = _DOCSTRING.sub("", "\n".join(lines[first : last + 1])).split("\n")
    words = ["imports"] if any(map(_IMPORT.match, shown)) else []
    kernels = sum(1 for line in shown if _KERNEL.match(line))
    if kernels:
        words.append(format_count(kernels, "kernel"))
    words += [found[1] for found in map(_FUNCTION.match, shown) if found]
    return f": {', '.join(words)}" if words else ""
