"""The first bytes of a file -> whether a pickle begins there, and where."""

from __future__ import annotations

# What `aot_compile` files of torch 2.15 begin with, before one byte of version.
AOT_MARK = b"PT2AOT"


def looks_like_pickle(data: bytes) -> bool:
    """Whether ``data`` starts as a pickle of protocol 2 or later does."""
    return len(data) > 3 and data[0] == 0x80 and 2 <= data[1] <= 5 and data[2] < 0x99


def marked_start(data: bytes) -> int:
    """Where the pickle of an `aot_compile` file of torch 2.15 begins, behind its mark; else 0."""
    return len(AOT_MARK) + 1 if data.startswith(AOT_MARK) else 0
