"""object of a Python class -> lines: its class, its attributes, and its content if it has any."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from .handler import Handler
from .hidden import content_of, hidden_state, state_of
from .home import LIBRARY, USER, home_of_class
from .judge import identity, is_judged
from .names import class_name, in_order, shortened
from .walker import Walker
from .words import word_set

# What torch leaves on objects of others that is of this process alone: addresses, hashes of them.
_MARKS = word_set("__dynamo_disable _original_object_hash _torchdynamo_wrapper_id")
# What libraries keep for themselves: what `torch.compile` notes when what it wraps is called or
# derives from its options, and what `functools.singledispatch` has found in its registry so far.
_KEPT = word_set("_box _clear_cache cache_token dispatch_cache enter_exit_hooks")
_TEXTS = ("__repr__", "__str__", "__format__")


def is_volatile(name: str, owner: str) -> bool:
    """Whether an attribute, or a cell of a closure, of what ``owner`` made says nothing of it."""
    return (owner != USER and name in _MARKS) or (owner == LIBRARY and name in _KEPT)


def is_mark(name: str) -> bool:
    """Whether torch leaves an attribute of this name on functions, whoever made them."""
    return name in _MARKS


def _tree(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.reach_tree(value, path, depth)


def _has_hidden_state(value: Any) -> bool:
    return bool(hidden_state(type(value)))


def _compiled(walker: Walker, path: str, value: Any, _depth: int) -> None:
    walker.line(path, f"compiled {value.__module__}.{value.__name__}")
    if identity(value) is None:
        name = class_name(type(value))
        walker.miss(path, f"it is a {name}, and what its code does is not known")
    walker.judge(path, value)


def _is_compiled_function(value: Any) -> bool:
    """Whether it is a function of an extension module, which the module's version covers."""
    if not _has_hidden_state(value):
        return False
    named = all(isinstance(getattr(value, n, None), str) for n in ("__name__", "__module__"))
    return named and callable(value) and home_of_class(type(value)).owner != USER


def _hidden(walker: Walker, path: str, value: Any, _depth: int) -> None:
    cls = type(value)
    walker.miss(
        path, f"it is a {class_name(cls)}, and what {hidden_state(cls)} keeps cannot be seen"
    )


def note_attribute_order(walker: Walker, path: str, value: Any, but: Collection[str] = ()) -> None:
    """Attributes are described by name; who asks for all of them may see their order."""
    if home_of_class(type(value)).owner == USER:
        names = [str(name) for name in getattr(value, "__dict__", ()) if name not in but]
        order = shortened(", ".join(names))
        for asked in ("__dict__", "vars"):
            walker.if_used("loose", f"of {path}: {order}", asked)


def _instance(walker: Walker, path: str, value: Any, depth: int) -> None:
    cls = type(value)
    walker.reach_class(cls)
    walker.deny(path, cls)
    walker.line(path, class_name(cls))
    if all(vars(base).keys().isdisjoint(_TEXTS) for base in cls.__mro__[:-1]):
        walker.note_address(value)
    content = content_of(value)
    if content is not None:
        walker.describe(f"{path}.content", content, depth + 1)
    owner = home_of_class(cls).owner
    # A library's own methods are not read, so nobody knows which attributes they use.
    is_read = owner != LIBRARY and not is_judged(cls.__module__)
    note_attribute_order(walker, path, value)
    for name, item in state_of(value):
        if not is_volatile(name, owner):
            with walker.attribute(name) if is_read else walker.binding(name):
                walker.describe(f"{path}.{name}", in_order(name, item), depth + 1)


OBJECTS = (
    Handler((torch.nn.Module,), _tree),
    Handler((object,), _compiled, when=_is_compiled_function),
    Handler((object,), _hidden, when=_has_hidden_state),
    Handler((object,), _instance),
)
