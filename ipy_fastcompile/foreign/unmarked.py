"""Bytes that do not begin as a pickle does -> what unpickling them would do all the same.

`pickle.load` asks for no mark: whatever bytes its opcodes make sense of are a pickle to it, up to
the first STOP, with anything behind that.
"""

from __future__ import annotations

from .budget import Budget, Unpickled
from .unpickle import unpickle

_NEWEST = 5


def read_unmarked(data: bytes, budget: Budget, where: str) -> Unpickled | None:
    """The pickle that ``data`` is; None where it is none, and calls nothing before it breaks."""
    if data[:1] == b"\x80" and data[1:2] > bytes([_NEWEST]):
        return None  # Python refuses it
    inner = budget.within()
    result = unpickle(data, inner, where)
    budget.opcodes, budget.values = inner.opcodes, inner.values
    if result.problem:
        # Text may look like the names of globals, but hardly like a call of one.
        is_pickle = any(use.calls and not use.is_computed for use in inner.uses.values())
    else:
        is_pickle = bool(inner.uses) or not data[result.end :].strip()
    if not is_pickle:
        return None
    budget.take(inner)
    return result
