"""an object that holds tensors -> its parts, and the object again from such parts.

A container is a tuple, list or dict or a kind of one, a record (a dataclass or a class of attrs),
an object that is nothing but its attributes (transformers' caches are such), or a type that its
owner registered with `torch.utils._pytree`. Nothing is registered here, so no other code sees a
type in another way because of it. A new kind needs a case in `open_container` and one in `finder`.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..errors import TreeTypeMissing
from ..frozen import NamedTuple
from ..torch_compat import trees
from .fixed import NoData, data_of, value_of
from .objects import is_plain_object
from .type_names import find_named, name_of


class Opened(NamedTuple):
    """A container in parts: items under keys, then attributes under names; plain data beside.

    ``keys`` are those of a dict, the fields of a named tuple, or nothing where an item has only a
    position.
    """

    kind: str  # "tuple" | "list" | "dict" | "Size" | "record" | "object" | "registered"
    type: type
    keys: tuple[Any, ...]
    items: Sequence[Any]
    names: tuple[str, ...] = ()
    attributes: tuple[Any, ...] = ()
    context: Any = None

    @property
    def children(self) -> tuple[Any, ...]:
        """All that it holds."""
        return (*self.items, *self.attributes)

    @property
    def labels(self) -> list[Any]:
        """What each child goes by: a key or a field, a position where it has none, a name."""
        return [*(self.keys or range(len(self.items))), *self.names]

    def steps(self) -> list[str]:
        """How each child is reached, as in ``['mask']``, ``[0]`` or ``.mean``."""
        return steps_of(self.kind, self.keys, len(self.items), self.names)


def steps_of(kind: str, keys: Sequence[Any], count: int, names: Sequence[str]) -> list[str]:
    """How the children of such a container are reached."""
    if kind == "dict":
        items = [f"[{key!r}]" for key in keys]
    elif keys:
        items = [f".{key}" for key in keys]
    else:
        items = [f"[{position}]" for position in range(count)]
    return [*items, *(f".{name}" for name in names)]


def open_container(value: Any) -> Opened | None:
    """The parts of a container, or None for everything that is none."""
    kind = type(value)
    if kind is dict:
        return Opened("dict", kind, tuple(value), tuple(value.values()))
    if kind is tuple or kind is list:
        return Opened(kind.__name__, kind, (), value)
    if kind is torch.Size:
        return Opened("Size", kind, (), tuple(value))
    if isinstance(value, (torch.Tensor, torch.nn.Module, type)):
        return None
    fields = _record_fields(kind)
    if isinstance(value, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        return Opened("tuple", kind, kind._fields, tuple(value), *_attributes(value, ()))
    if kind not in _OWN:
        registered = trees.registered_container(kind)
        if registered is not None:
            keys, items, data = registered.open(value)
            return Opened("registered", kind, keys, items, context=data_of(data))
    if isinstance(value, dict):
        keys, items = tuple(value), tuple(dict.values(value))
        names, attributes = _attributes(value, fields)
        mirrored = [n for n, a in zip(names, attributes, strict=True) if dict.get(value, n) is a]
        kept = [i for i, n in enumerate(names) if n not in mirrored]
        context: dict[str, Any] = {"mirrored": mirrored} if mirrored else {}
        if isinstance(value, collections.defaultdict):
            context["factory"] = _factory_name(value)
        names, attributes = tuple(names[i] for i in kept), tuple(attributes[i] for i in kept)
        return Opened("dict", kind, keys, items, names, attributes, context or None)
    if isinstance(value, (tuple, list)):
        word = "tuple" if isinstance(value, tuple) else "list"
        return Opened(word, kind, (), tuple(value), *_attributes(value, fields))
    if fields is not None:
        return Opened("record", kind, (), (), *_attributes(value, fields))
    if is_plain_object(value):
        return Opened("object", kind, (), (), *_attributes(value, ()))
    return None


# Registered by torch itself, with a context that is not plain data.
_OWN = frozenset({collections.OrderedDict, collections.defaultdict})


def _record_fields(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass or a class of attrs; None for any other."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    of_attrs = getattr(kind, "__attrs_attrs__", None)
    return None if of_attrs is None else tuple(field.name for field in of_attrs)


def _attributes(value: Any, fields: Sequence[str] | None) -> tuple[Any, Any]:
    """Names and values of what an object holds besides its items: fields, then anything else."""
    found = {name: getattr(value, name) for name in fields or () if hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    return tuple(found), tuple(found.values())


def _factory_name(value: collections.defaultdict[Any, Any]) -> str:
    factory: Any = value.default_factory
    if factory is None:
        return ""
    if not hasattr(factory, "__qualname__") or "<lambda>" in factory.__qualname__:
        raise NoData(f"the default_factory {factory!r:.60} has no name")
    return name_of(factory)


def finder(
    kind: str, name: str, known: Mapping[str, Any], context: Any
) -> Callable[[Sequence[Any], Sequence[Any], Sequence[str], Sequence[Any]], Any]:
    """What makes such a container again, of ``(keys, items, names, attributes)``.

    The type is looked for here, once. Raises TreeTypeMissing naming what this process lacks.
    """
    cls: Any = find_named(name, known)
    if not isinstance(cls, type):
        raise TreeTypeMissing(
            f"{name.replace(':', '.')} is not a type in this process.",
            "Define it as it was when the model was compiled.",
            type=name,
        )
    if kind == "registered":
        registered = trees.registered_container(cls)
        if registered is None:
            raise TreeTypeMissing(
                f"{name.replace(':', '.')} was registered as a tree when the model was compiled, "
                "and is not registered in this process.",
                "Register it before loading, as it was.",
                type=name,
            )
        close, plain = registered.close, value_of(context, known)
        return lambda _keys, items, *_: close(items, plain)
    empty: Any = cls.__new__
    extra = context if isinstance(context, dict) else {}
    factory: Any = None
    if extra.get("factory"):
        factory = find_named(extra["factory"], known)

    def make(
        keys: Sequence[Any], items: Sequence[Any], names: Sequence[str], attributes: Sequence[Any]
    ) -> Any:
        if kind == "tuple":
            made: Any = tuple.__new__(cls, items)
        elif kind == "Size":
            return torch.Size(items)
        elif kind == "list":
            made = empty(cls)
            list.extend(made, items)
        elif kind == "dict":
            made = empty(cls)
            if factory is not None:
                made.default_factory = factory
            # An ordered dict keeps its order beside the dict's.
            put = next(c for c in cls.__mro__ if c in (collections.OrderedDict, dict)).__setitem__
            for key, item in zip(keys, items, strict=True):
                put(made, key, item)
            for mirrored in extra.get("mirrored", ()):
                object.__setattr__(made, mirrored, dict.__getitem__(made, mirrored))
        else:
            made = empty(cls)
        for word, attribute in zip(names, attributes, strict=True):
            object.__setattr__(made, word, attribute)
        return made

    return make


def with_leaves(tree: Any, change: Callable[[Any, str], Any], path: str = "") -> Any:
    """The same containers, made again, with ``change`` of each value in them and the way to it."""
    opened = open_container(tree)
    if opened is None:
        return change(tree, path)
    children = [
        with_leaves(child, change, path + step)
        for child, step in zip(opened.children, opened.steps(), strict=True)
    ]
    name = name_of(opened.type)
    close = finder(opened.kind, name, {name: opened.type}, opened.context)
    count = len(opened.items)
    return close(opened.keys, children[:count], opened.names, children[count:])
