"""two keys -> the kinds of call that only one of them has, each on a line, and all other lines.

The components ``inputs`` and ``dynamic`` have many lines for each kind of call, of which
``call_1: containers = …`` is the first. A kind that came or went is one thing, not all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

INPUTS = "inputs"
OF_KINDS = (INPUTS, "dynamic")
NOTHING = "(default)"
_FIRST = re.compile(r"(?:([^\n]+): )?containers = .*")
_TENSOR = re.compile(r"([^\n]*?) = torch\.(\w+\[[^\]]*\]).*")
_SHOWN = 2  # tensors of a kind; a cache has two for every layer


def other_kinds(a: Mapping[str, str | None], b: Mapping[str, str | None]) -> tuple[str, ...]:
    """The names of the kinds of call that ``a`` has and ``b`` does not; "" is a call by itself."""
    known = _names(b.get(INPUTS) or "")
    return tuple(name for name in _names(a.get(INPUTS) or "") if name not in known)


def without_kinds(text: str, names: tuple[str, ...]) -> str:
    """A component without the lines of these kinds."""
    return "\n".join(line for line in text.split("\n") if _kind_of(line, names) is None)


def describe_kinds(text: str, names: tuple[str, ...], whose: str) -> Iterator[str]:
    """``call_1: a kind of call that only the entry has: args[0] int64[2, 4]``, for each of them.

    Of a kind that a component says nothing of, nothing is said.
    """
    for name in names:
        head = f"{name}: a kind of call" if name else "a call by itself"
        start = f"{name}: " if name else ""
        own = [line[len(start) :] for line in text.split("\n") if line.startswith(start)]
        if own in ([], [NOTHING]):
            continue
        tensors = [found for line in own if (found := _TENSOR.fullmatch(line))]
        shown = [f"{found[1]} {found[2]}" for found in tensors[:_SHOWN]]
        more = f" and {len(tensors) - _SHOWN} more" if len(tensors) > _SHOWN else ""
        takes = f": {', '.join(shown)}{more}" if shown else ""
        yield f"{head} that {whose}{takes}"


def _kind_of(line: str, names: tuple[str, ...]) -> str | None:
    """Which of the kinds a line is of; one that has no name has all lines."""
    return next((name for name in names if not name or line.startswith(f"{name}: ")), None)


def _names(inputs: str) -> tuple[str, ...]:
    found = (_FIRST.fullmatch(line) for line in inputs.split("\n"))
    return tuple(dict.fromkeys(match[1] or "" for match in found if match))
