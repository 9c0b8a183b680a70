"""classes and functions of the user's -> lines for what they say of themselves, where code asks.

Their code is in the key anyway, and what it is called. Names, documentation and annotations can be
set to something else, and a class may be registered as another's; few forwards ask for any of it.
"""

from __future__ import annotations

import abc
import collections.abc
import inspect
import numbers
import re
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from . import home
from .home import home_of_class
from .names import class_name, shortened
from .notes import VALUES
from .walker import Follower
from .words import word_set

# What code mentions -> the attribute that it asks for.
_READERS: Mapping[str, frozenset[str]] = {
    "__annotations__": word_set(
        "__annotations__ get_type_hints get_annotations signature getfullargspec __signature__"
    ),
    "__doc__": word_set("__doc__ getdoc"),
    "__module__": word_set("__module__ getmodule"),
    "__name__": word_set("__name__"),
    "__qualname__": word_set("__qualname__"),
}
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def write_metadata(
    walk: Follower,
    mentioned: Collection[str],
    functions: Collection[tuple[str, types.FunctionType]],
    classes: Collection[type],
) -> None:
    """Lines for what the user's ``classes`` and ``functions`` say of themselves.

    ``mentioned`` is what the user's code mentions; a function comes with its component. The user's
    classes that are registered as subclasses of one of the ``classes`` are named, too.
    """
    asked = [name for name, by in _READERS.items() if not by.isdisjoint(mentioned)]
    for component, function in functions if asked else ():
        with walk.component(component):
            _write(walk, walk.label(function), function, asked)
    with walk.component(VALUES):
        for cls in classes:
            name = class_name(cls)
            if home_of_class(cls).owner == home.USER:
                _write(walk, name, cls, asked)
                for said, text in _declared(cls):
                    walk.line(f"{name}.{said}", text)
        for cls in dict.fromkeys([*classes, *_ABSTRACT]):
            registered = sorted(map(class_name, _registered(cls)))
            if registered:
                walk.line(f"registered as {class_name(cls)}", ", ".join(registered))


def _write(walk: Follower, path: str, thing: Any, asked: Collection[str]) -> None:
    for name in asked:
        value = getattr(thing, name, None)
        if name == "__annotations__":
            value = _annotations(value)
            if _ADDRESS.search(value):
                walk.miss(f"{path}.{name}", "some code asks for it, and it holds an address")
                continue
        walk.line(f"{path}.{name}", shortened(repr(value)))


def _annotations(value: Any) -> str:
    items = value.items() if isinstance(value, Mapping) else ()
    return ", ".join(f"{name}: {inspect.formatannotation(said)}" for name, said in items)


def _declared(cls: type) -> Iterator[tuple[str, str]]:
    """What a class says of its fields; `match`, `dataclasses` and `copy` ask for it."""
    for name in ("__match_args__", "__slots__"):
        if name in vars(cls):
            yield name, shortened(repr(vars(cls)[name]))
    fields = vars(cls).get("__dataclass_fields__")
    if isinstance(fields, dict):
        yield "fields", shortened(", ".join(map(str, fields)))


# Code that asks for one of these is not followed into the library.
_ABSTRACT = [c for m in (collections.abc, numbers) for c in vars(m).values() if isinstance(c, type)]
# The registry of an abstract class is kept by C code; this is what `ABCMeta._dump_registry` prints.
_dump: Callable[[type], tuple[Any, ...]] | None = getattr(abc, "_get_dump", None)


def _registered(cls: type) -> list[type]:
    """The user's classes that were registered with an abstract class."""
    if _dump is None or not isinstance(cls, abc.ABCMeta):
        return []
    found = [reference() for reference in _dump(cls)[0]]
    return [c for c in found if c is not None and home_of_class(c).owner == home.USER]
