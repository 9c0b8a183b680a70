"""object -> what it holds: how to read it again, how to put it back, and what to look into next.

One function a kind: containers, attributes, classes, functions with their closures and globals,
memories of `functools.lru_cache`. Nothing is copied but the containers themselves.
"""

from __future__ import annotations

import collections
import functools
import io
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from .generators import is_own_generator, set_state, state_of
from .holder import MISSING, Found, Holder, Named
from .iterators import BOUND, is_spent, parts_of
from .library import file_of, is_library, is_library_object, is_own
from .streams import look_into_stream

PLAIN = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)
_SMALL_ARRAY = 1 << 20  # bytes
_OF_CLASSES = frozenset({"__dict__", "__weakref__", "__doc__", "__module__", "__annotations__"})


def look_into(where: str, value: Any) -> Found:
    """The holders of an object, and the objects that it leads to, each with its name."""
    kind = type(value)
    if is_own(value) or is_own(kind):
        return [], []
    if is_spent(value):  # a spare takes its place
        return [], [(where, part) for part in parts_of(value)]
    for types_, look in _LOOKS:
        if issubclass(kind, types_):
            return look(where, value)
    if _is_array(value):
        return _array(where, value)
    if is_own_generator(value):
        return [_generator(where, value)], []
    return ([], []) if is_library_object(value) else _attributes(where, value)


# --- containers ----------------------------------------------------------------------------------


def _dict(where: str, value: dict[Any, Any]) -> Found:
    # Subclasses may do anything in methods of their own.
    is_ordered = isinstance(value, collections.OrderedDict)
    base: Any = collections.OrderedDict if is_ordered else dict
    held = dict(base.items(value))

    def write(items: Mapping[Any, Any]) -> None:
        if list(base.keys(value)) != list(items):
            base.clear(value)
        for key, item in items.items():
            base.__setitem__(value, key, item)

    owner, _, attribute = where.rpartition(".")

    def name(key: Any) -> str:
        if attribute in ("_buffers", "_parameters"):  # of a module: its attributes
            return f"{owner}.{key}"
        return f"{where}[{key!r:.60}]"

    holder = Holder(lambda: dict(base.items(value)), held, write, name, _is_users)
    return [holder], [(name(key), item) for key, item in held.items()]


def _is_users(key: Any) -> bool:
    """Whether an entry is not one that Dynamo makes in the dict of a function it has met."""
    return not (isinstance(key, str) and key.startswith("__dynamo"))


def _sequence(where: str, value: Any) -> Found:
    base: Any = list if isinstance(value, list) else collections.deque
    held = dict(enumerate(value))

    def write(items: Mapping[Any, Any]) -> None:
        base.clear(value)
        base.extend(value, items.values())

    def name(key: Any) -> str:
        return f"{where}[{key}]"

    holder = Holder(lambda: dict(enumerate(value)), held, write, name)
    return [holder], [(name(key), item) for key, item in held.items()]


def _set(where: str, value: Any) -> Found:
    make: Any = set if isinstance(value, set) else bytes
    copy = make(value)

    def write(items: Mapping[Any, Any]) -> None:
        value.clear()
        (value.update if isinstance(value, set) else value.extend)(items[""])

    return [Holder(lambda: {"": make(value)}, {"": copy}, write, lambda _: where)], []


def _tuple(where: str, value: Any) -> Found:
    return [], [(f"{where}[{position}]", item) for position, item in enumerate(value)]


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _array(where: str, value: Any) -> Found:
    """Arrays are written into while a model is captured; large ones are taken to be data."""
    if value.nbytes > _SMALL_ARRAY or value.dtype.hasobject:
        return [], []
    copy = value.copy()

    def write(_: Mapping[Any, Any]) -> None:
        value[...] = copy

    held = {"": copy.tobytes()}
    return [Holder(lambda: {"": value.tobytes()}, held, write, lambda _: where)], []


def _generator(where: str, value: Any) -> Holder:
    state = state_of(value)
    return Holder(
        lambda: {"": repr(state_of(value))},
        {"": repr(state)},
        lambda _: set_state(value, state),
        lambda _: where,
        is_generator=True,
    )


# --- objects and classes -------------------------------------------------------------------------


def _attributes(where: str, value: Any) -> Found:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = {}
    slots = tuple(slots_of(type(value)))

    def read() -> dict[str, Any]:
        filled = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        return {**attributes, **filled}

    held = read()

    def write(items: Mapping[str, Any]) -> None:
        plain = {name: item for name, item in items.items() if name not in slots}
        if list(attributes) != list(plain):
            attributes.clear()
        attributes.update(plain)
        for name in slots:
            if name in items:
                object.__setattr__(value, name, items[name])
            elif hasattr(value, name):
                object.__delattr__(value, name)

    def name(key: str) -> str:
        return f"{where}.{key}"

    inner = [(name(key), item) for key, item in held.items()]
    if isinstance(value, torch.nn.Module):
        # Under their own names, layers.0: not as items of _modules.
        children = held.get("_modules", {})
        inner = [(name(key), child) for key, child in children.items()] + inner
    # What torch's own layers and hooks note for themselves: the weights of an LSTM in a list, the
    # weight that weight_norm computes.
    is_torch = type(value).__module__.startswith("torch.")
    computed = _computed_names(value) if isinstance(value, torch.nn.Module) else frozenset()
    holder = Holder(
        read,
        held,
        write,
        name,
        lambda key: key not in computed and not (is_torch and key[:1] == "_"),
    )
    return [holder], [*inner, (type(value).__name__, type(value))]


def _computed_names(module: torch.nn.Module) -> frozenset[str]:
    """Attributes that hooks of torch.nn.utils compute anew in every call."""
    hooks = module.__dict__.get("_forward_pre_hooks", {}).values()
    torch_hooks = [h for h in hooks if type(h).__module__.startswith("torch.nn.utils.")]
    names = {getattr(h, key, None) for h in torch_hooks for key in ("name", "_tensor_name")}
    return frozenset(name for name in names if isinstance(name, str))


def slots_of(cls: type) -> Iterator[str]:
    """The names of the slots that a class and its bases declare, private ones as they are kept."""
    for base in cls.__mro__:
        if "__slots__" in vars(base):
            for name, item in vars(base).items():
                if isinstance(item, types.MemberDescriptorType):
                    yield name


def _class(_: str, value: type) -> Found:
    name = value.__name__
    methods = [(name, item) for item in vars(value).values() if callable(item)]
    if is_library(file_of(value)):
        return [], methods if issubclass(value, torch.nn.Module) and file_of(value) else []

    def read() -> dict[str, Any]:
        return {key: item for key, item in vars(value).items() if key not in _OF_CLASSES}

    held = read()

    def write(items: Mapping[str, Any]) -> None:
        now = read()
        for key in now.keys() - items.keys():
            delattr(value, key)
        for key, item in items.items():
            if now.get(key, MISSING) is not item:
                setattr(value, key, item)

    inner = [(f"{name}.{key}", item) for key, item in held.items()]
    inner += [(base.__name__, base) for base in value.__bases__]
    return [Holder(read, held, write, lambda key: f"{name}.{key}")], inner


# --- functions -----------------------------------------------------------------------------------


def _function(where: str, function: types.FunctionType) -> Found:
    code = function.__code__
    holders = [_defaults(where, function)] if function.__defaults__ else []
    inner: list[Named] = [
        (where, function.__defaults__ or ()),
        (where, function.__kwdefaults__ or {}),
        (function.__name__, vars(function)),
    ]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        holder = _cell(name, cell)
        holders.append(holder)
        inner += holder.held.items()
    names = tuple(sorted(set(_names(code))))
    if is_library(code.co_filename):
        found = [(name, function.__globals__.get(name)) for name in names]
        inner += [(name, item) for name, item in found if isinstance(item, _MEMORY)]
        return holders, inner
    more, named = _namespace(function.__globals__, names)
    return holders + more, inner + named


def _defaults(where: str, function: types.FunctionType) -> Holder:
    def read() -> dict[str, Any]:
        return {where: function.__defaults__}

    def write(items: Mapping[str, Any]) -> None:
        function.__defaults__ = items[where]

    return Holder(read, read(), write, str)


def _cell(name: str, cell: types.CellType) -> Holder:
    def read() -> dict[str, Any]:
        try:
            return {name: cell.cell_contents}
        except ValueError:  # not bound yet
            return {}

    held = read()

    def write(items: Mapping[str, Any]) -> None:
        if name in items:
            cell.cell_contents = items[name]
        else:
            del cell.cell_contents

    return Holder(read, held, write, str)


def _namespace(namespace: dict[str, Any], names: tuple[str, ...]) -> Found:
    """The entries of a namespace that a function names, and those of the user's modules there."""

    def read() -> dict[str, Any]:
        return {name: namespace[name] for name in names if name in namespace}

    held = read()

    def write(items: Mapping[str, Any]) -> None:
        for name in read().keys() - items.keys():
            del namespace[name]
        namespace.update(items)

    holders, inner = [Holder(read, held, write, str)], list(held.items())
    for item in held.values():
        file = getattr(item, "__file__", None)
        if isinstance(item, types.ModuleType) and vars(item) is not namespace:
            if not is_library(file):
                more, named = _namespace(vars(item), names)
                holders += more
                inner += [entry for entry in named if not isinstance(entry[1], types.ModuleType)]
    return holders, inner


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _method(where: str, value: types.MethodType) -> Found:
    owner = value.__self__
    name = owner.__name__ if isinstance(owner, type) else type(owner).__name__
    return [], [(where, value.__func__), (name, owner)]


def _partial(where: str, value: functools.partial[Any]) -> Found:
    def write(items: Mapping[str, Any]) -> None:
        rest: Any = value.keywords, vars(value)
        value.__setstate__((value.func, items[where], *rest))  # type: ignore[attr-defined]

    def read() -> dict[str, Any]:
        return {where: value.args}

    inner = [(where, value.func), (where, value.args), (where, value.keywords)]
    return [Holder(read, read(), write, str)], [*inner, (where, vars(value))]


def _wrapped(where: str, value: Any) -> Found:
    return [], [(where, getattr(value, "fget", None) or getattr(value, "__func__", None))]


_MEMORY = type(functools.lru_cache(lambda: None))


def _memory(where: str, value: Any) -> Found:
    """A memory of results, which a capture fills with fake tensors: it is emptied then."""

    def read() -> dict[str, Any]:
        return {"": tuple(value.cache_info())[1:]}  # all but the hits

    def write(_: Mapping[Any, Any]) -> None:
        value.cache_clear()

    holder = Holder(read, read(), write, lambda _: where, lambda _: False)
    return [holder], [(where, value.__wrapped__)]


def _bound(where: str, value: Any) -> Found:
    """A method of what is written in C: of a deque, a dict, a generator of random numbers."""
    owner = value.__self__
    return [], [] if owner is None or isinstance(owner, types.ModuleType) else [(where, owner)]


_LOOKS: tuple[tuple[Any, Callable[[str, Any], Found]], ...] = (
    (dict, _dict),
    ((list, collections.deque), _sequence),
    ((set, bytearray), _set),
    ((tuple, frozenset), _tuple),
    (types.FunctionType, _function),
    (types.MethodType, _method),
    (functools.partial, _partial),
    ((property, staticmethod, classmethod), _wrapped),
    (_MEMORY, _memory),
    (BOUND, _bound),
    (io.IOBase, look_into_stream),
    (type, _class),
)
