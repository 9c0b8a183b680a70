"""What a pickle builds -> values that do nothing: no call, no import, no attribute of their own.

A global is its name, a call is the record of a call. Plain values are Python's own: numbers, text,
bytes, lists, tuples, sets as lists. They are never hashed, compared or printed by Python's own
recursion, because a stranger chose how deep they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Name:
    """A global: ``module.name``; ``is_computed`` where the pickle makes the name while it loads."""

    __slots__ = ("is_computed", "text")

    def __init__(self, text: str, *, is_computed: bool = False) -> None:
        self.text = text
        self.is_computed = is_computed


class Made:
    """What calling ``func`` with ``args`` would have made, and what was put into it since.

    ``states`` are the arguments of BUILD, ``items`` what was appended, ``pairs`` what was set.
    """

    __slots__ = ("args", "func", "items", "kwargs", "pairs", "states")

    def __init__(self, func: Any, args: Any = (), kwargs: Any = None) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.states: list[Any] = []
        self.items: list[Any] = []
        self.pairs: list[tuple[Any, Any]] = []


class Pairs:
    """A dict, as the pairs that were set: its keys need not be hashable here."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []


class Outside:
    """A value that is not in the pickle: a persistent id, an out-of-band buffer, an extension."""

    __slots__ = ("kind", "what")

    def __init__(self, kind: str, what: Any) -> None:
        self.kind = kind
        self.what = what


class Huge:
    """A number too long to be one: ``size`` bytes of digits."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


def name_of(value: Any) -> str:
    """The dotted name of what a value was made by, or of the global it is; else empty."""
    if isinstance(value, Made):
        value = value.func
    return value.text if isinstance(value, Name) else ""


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The named parts of a dict or of an object: its state, of ``(dict, slots)`` both halves."""
    if isinstance(value, Pairs):
        yield from ((key, part) for key, part in value.pairs if isinstance(key, str))
    elif isinstance(value, Made):
        for state in value.states:
            halves = state if isinstance(state, tuple) and len(state) == 2 else (state,)
            for half in halves:
                if isinstance(half, Pairs):
                    yield from ((key, part) for key, part in half.pairs if isinstance(key, str))
        yield from ((key, part) for key, part in value.pairs if isinstance(key, str))


def field(value: Any, name: str, default: Any = None) -> Any:
    """The last part called ``name``, as Python would leave it; else ``default``."""
    found = default
    for key, part in fields(value):
        if key == name:
            found = part
    return found


def members(value: Any) -> Iterator[Any]:
    """Everything directly inside of a value."""
    if isinstance(value, (list, tuple)):
        yield from value
    elif isinstance(value, Pairs):
        for pair in value.pairs:
            yield from pair
    elif isinstance(value, Made):
        yield from (value.func, value.args)
        if value.kwargs is not None:
            yield value.kwargs
        yield from value.states
        yield from value.items
        for pair in value.pairs:
            yield from pair
    elif isinstance(value, Outside):
        yield value.what


def walk(value: Any) -> Iterator[Any]:
    """The value and all inside of it, each once, however deep, shared or cyclic they are."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, (list, tuple, Pairs, Made, Outside)):
            if id(value) in seen:
                continue
            seen.add(id(value))
            waiting.extend(reversed(list(members(value))))
        yield value


def find(value: Any, *endings: str) -> Iterator[Made]:
    """The objects inside of ``value`` whose class is one of ``endings``, by its last name."""
    for part in walk(value):
        if isinstance(part, Made) and name_of(part).rpartition(".")[2] in endings:
            yield part


def brief(value: Any, limit: int = 200) -> str:
    """A value on one line, cut after about ``limit`` characters and a few levels."""
    pieces: list[str] = []
    _write(value, pieces, [limit], 4)
    return "".join(pieces)


def _write(value: Any, pieces: list[str], left: list[int], depth: int) -> None:
    def put(text: str) -> None:
        if left[0] > 0:
            pieces.append(text if len(text) <= left[0] else f"{text[: left[0]]}…")
        left[0] -= len(text)

    def inside(parts: Any, opening: str, closing: str) -> None:
        put(opening)
        for number, part in enumerate(parts):
            if left[0] <= 0 or not depth:
                put("…")
                break
            put(", " if number else "")
            _write(part, pieces, left, depth - 1)
        put(closing)

    if value is None or isinstance(value, (bool, int, float)):
        put(str(value))
    elif isinstance(value, str):
        put(repr(value[: max(left[0], 0) + 1]))
    elif isinstance(value, (bytes, bytearray)):
        put(f"<{len(value)} bytes>")
    elif isinstance(value, Name):
        put(value.text)
    elif isinstance(value, Huge):
        put(f"<a number of {value.size} bytes>")
    elif isinstance(value, Outside):
        put(f"<{value.kind} ")
        _write(value.what, pieces, left, max(depth - 1, 0))
        put(">")
    elif isinstance(value, tuple):
        inside(value, "(", ",)" if len(value) == 1 else ")")
    elif isinstance(value, list):
        inside(value, "[", "]")
    elif isinstance(value, Pairs):
        inside((pair for pair in value.pairs), "{", "}")
    elif isinstance(value, Made):
        _write(value.func, pieces, left, max(depth - 1, 0))
        inside(value.args if isinstance(value.args, tuple) else (value.args,), "(", ")")
    else:
        put(f"<{type(value).__name__}>")


def listed(value: Any) -> str:
    """The members of a set or list as text."""
    if isinstance(value, Made):
        value = value.args[0] if isinstance(value.args, tuple) and value.args else value.items
    if isinstance(value, (list, tuple)):
        return ", ".join(v if isinstance(v, str) else brief(v, 60) for v in value[:50])
    return "" if value is None else brief(value, 100)
