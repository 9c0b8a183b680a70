"""object -> what Python can see of it: its attributes, what it holds as a subclass of a builtin.

And whether that is all: a class may keep more where no attribute shows it.
"""

from __future__ import annotations

import collections
import types
from typing import Any

from .containers import PLAIN
from .names import class_name

_NUMBERS: dict[type, Any] = {
    int: int.__int__,
    float: float.__float__,
    complex: lambda z: complex.__add__(z, 0j),
    str: str.__str__,
    bytes: lambda b: bytes(memoryview(b)),
}
_PLAIN_BASES = (object, BaseException, Exception, *PLAIN, *_NUMBERS, collections.OrderedDict)
_HEAP_TYPE = 1 << 9


def content_of(value: Any) -> Any:
    """What an instance of a subclass of a builtin holds, past whatever the subclass overrides."""
    if isinstance(value, collections.OrderedDict):
        return dict(collections.OrderedDict.items(value))
    if isinstance(value, dict):
        return dict(dict.items(value))
    for base in (list, tuple, set, frozenset, collections.deque):
        if isinstance(value, base):
            plain: Any = base
            return plain(plain.__iter__(value))
    if isinstance(value, BaseException):
        return value.args
    for number, convert in _NUMBERS.items():
        if isinstance(value, number):
            return convert(value)
    return None


def state_of(value: Any) -> list[tuple[str, Any]]:
    """Attributes in ``__dict__`` and in slots, by name."""
    state = dict(getattr(value, "__dict__", None) or {})
    for cls in type(value).__mro__:
        for name, slot in vars(cls).items():
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    state.setdefault(name, slot.__get__(value))
                except AttributeError:  # never assigned
                    continue
    return sorted(((name, item) for name, item in state.items() if isinstance(name, str)))


def hidden_state(cls: type) -> str:
    """The class in the MRO whose instances keep more than Python can see, "" when there is none.

    The same test as pickle's (`object_getstate_default` in CPython's Objects/typeobject.c): an
    instance that is larger than its dict, weak references and slots account for has C state.
    """
    word = object.__basicsize__ // 2
    for base in cls.__mro__:
        if base in _PLAIN_BASES or base is types.SimpleNamespace:
            continue
        if not base.__flags__ & _HEAP_TYPE:
            if base.__basicsize__ > object.__basicsize__:
                return class_name(base)
            continue
        plain = max(parent.__basicsize__ for parent in base.__mro__ if parent in _PLAIN_BASES)
        slots = sum(
            isinstance(item, types.MemberDescriptorType)
            for parent in base.__mro__
            for item in vars(parent).values()
        )
        expected = plain + word * (slots + 2)
        if base.__basicsize__ > expected:
            return class_name(base)
    return ""
