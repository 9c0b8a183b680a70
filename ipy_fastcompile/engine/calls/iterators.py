"""iterator -> a spare in its place while a model is tried, so that the iterator stays where it is.

What a forward takes from an iterator is another value in every call. A spare goes on where the
iterator is, counts what is taken of it, and refuses where Python cannot make a copy: of a
generator, a pipe, a queue.
"""

from __future__ import annotations

import functools
import io
import queue
import threading
import types
import warnings
from typing import Any

from ...errors import CaptureError
from ...torch_compat import surroundings
from .library import is_library_object
from .streams import is_stream

BOUND = (types.MethodWrapperType, types.BuiltinMethodType)  # methods of what is written in C


def is_spent(value: Any) -> bool:
    """Whether reading an object uses it up, and nothing sets it back: iterators, for the most part.

    Iterators of the user's own classes are their attributes, and files have a position.
    """
    kind = type(value)
    if issubclass(kind, io.IOBase):
        return not is_stream(value) and not value.closed and value.readable()
    if issubclass(kind, queue.SimpleQueue):
        return True
    taking = getattr(kind, "__next__", None)
    if taking is None or kind is Spare:
        return False
    return is_library_object(value) or not isinstance(taking, types.FunctionType)


class Spare:
    """In the place of an iterator. Other threads go on with the iterator itself."""

    def __init__(self, iterator: Any, where: str) -> None:
        self._iterator = iterator
        self._copy = _copy_of(iterator)
        self._thread = threading.get_ident()
        self.where = where
        self.is_taken = False
        self.is_refused = False

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # for isinstance
        return type(self._iterator)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self.taken())

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_torch")):
            raise AttributeError(name)
        if callable(getattr(self._iterator, name)):
            return functools.partial(self._call, name)
        return getattr(self.taken(), name)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.taken(), name)(*args, **kwargs)

    def taken(self) -> Any:
        """What to take a value from. Raises CaptureError where there is no copy."""
        if threading.get_ident() != self._thread:
            return self._iterator
        self.is_taken = True
        if self._copy is None:
            self.is_refused = True
            raise self.refusal()
        return self._copy

    def __str__(self) -> str:
        return f"{self.where} ({self.__class__.__name__})"

    def refusal(self) -> CaptureError:
        """Why this model is refused, where nothing can be taken without using it up."""
        return CaptureError(
            f"The model takes a value from {self}, which gives another one each time; a compiled "
            "call would repeat the first one for ever.",
            "Pass the value to the call as an argument.",
            name=self.where,
        )


# It would write down what is taken as a constant.
surroundings.hide_from_dynamo(Spare.taken, "a compiled call takes nothing from an iterator")


def spared(value: Any, where: str, spares: dict[int, Spare]) -> Any:
    """The value with spares for iterators: itself, in a tuple, or as the owner of a method.

    One iterator has one spare, wherever it is held; ``spares`` are those made so far.
    """
    if is_spent(value):
        return spares.setdefault(id(value), Spare(value, where))
    if isinstance(value, BOUND) and is_spent(value.__self__):
        spare = spares.setdefault(id(value.__self__), Spare(value.__self__, where))
        return getattr(spare, value.__name__)
    if isinstance(value, tuple):
        items = [spared(item, f"{where}[{i}]", spares) for i, item in enumerate(value)]
        if any(a is not b for a, b in zip(items, value, strict=True)):
            return getattr(type(value), "_make", type(value))(items)
    return value


def parts_of(iterator: Any) -> tuple[Any, ...]:
    """What an iterator of Python is made of, as far as Python tells."""
    made = _made_of(iterator)
    return made[1] if made is not None else ()


def _made_of(iterator: Any) -> tuple[Any, ...] | None:
    """How Python would make an iterator again: a callable, its arguments, and a state."""
    if type(iterator).__module__ not in ("builtins", "itertools"):
        return None
    try:
        with warnings.catch_warnings():
            # Python 3.12 and 3.13 announce that 3.14 copies those of itertools no more.
            warnings.simplefilter("ignore", DeprecationWarning)
            made = iterator.__reduce_ex__(4)
    except TypeError:
        return None
    return made if isinstance(made, tuple) and len(made) in (2, 3) else None


def _copy_of(value: Any) -> Any:
    """An iterator that goes on where this one is, which stays there; None where there is none."""
    made = _made_of(value)
    if made is None:
        return None
    make, arguments, *state = made
    try:
        copy = make(*map(_inner, arguments))
        if state and state[0] is not None:
            copy.__setstate__(_state(state[0]))
    except _NoCopy:
        return None
    return copy


class _NoCopy(Exception):
    """An iterator within another one that cannot be copied."""


def _inner(value: Any) -> Any:
    """A part of an iterator, with copies of the iterators that are in it."""
    if is_spent(value):
        copy = _copy_of(value)
        if copy is None:
            raise _NoCopy
        return copy
    if type(value) in (tuple, list) and any(map(is_spent, value)):
        return type(value)(map(_inner, value))
    return value


def _state(state: Any) -> Any:
    """A state with lists of its own: a cycle appends to them."""
    if isinstance(state, tuple):
        return tuple(map(_state, state))
    return list(state) if isinstance(state, list) else _inner(state)
