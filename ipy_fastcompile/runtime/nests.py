"""a nest of containers -> its leaves and a `Nest`, plain data that says how they were held.

A leaf is a tensor, a size, or a number, string or None, which have a literal; any other value
without a tensor in it is written into the nest itself (`Fixed`), and its leaf is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import torch

from ..frozen import frozen
from .containers import finder, open_container
from .fixed import NoData, data_of, value_of
from .objects import become
from .type_names import is_type_name, name_of

_LEAVES = (torch.Tensor, torch.SymInt, torch.SymFloat, torch.SymBool)
_PLAIN = frozenset({type(None), bool, int, float, str})
_NAMED = (type, FunctionType)  # which an object may have among its attributes, by their names
_DEEPEST = 100
# The kinds of nests of a result that know the arguments: one that is an argument itself, and the
# result with what the call made of arguments.
ARGUMENT = "argument"
AFTER = "after"


@frozen
class Fixed:
    """A value that is always the same: what `data_of` writes of it."""

    data: Any


@frozen
class Nest:
    """How children are held: see `Opened`. A child is a Nest, a Fixed, or None for a leaf."""

    kind: str
    type: str
    keys: tuple[Any, ...]  # as `data_of` writes them
    names: tuple[str, ...]
    context: Any
    children: tuple[Any, ...]


class Unknown(Exception):
    """A value that is neither a leaf, a container nor plain data, and the way to it."""

    def __init__(self, path: str, value: Any, why: str) -> None:
        super().__init__(path, value, why)
        self.path, self.value, self.why = path, value, why


class Flattened:
    """The leaves of a nest, the way to each, and the types that hold them, by name.

    ``fixed`` are the values that the nest itself holds, as text, by the number of their leaf;
    ``arguments`` the objects, by `id`, that are arguments of the call, and the position of each.
    """

    def __init__(
        self, types: dict[str, Any] | None = None, arguments: dict[int, int] | None = None
    ) -> None:
        self.leaves: list[Any] = []
        self.paths: list[str] = []
        self.types = {} if types is None else types
        self.fixed: dict[int, str] = {}
        self.arguments = arguments or {}
        self.nest: Any = None


def flatten(value: Any, path: str = "", into: Flattened | None = None) -> Flattened:
    """Take a value apart. Raises `Unknown` for what can be no part of a call."""
    found = into or Flattened()
    found.nest = _flatten(value, path, found, ())
    return found


def _flatten(
    value: Any, path: str, found: Flattened, within: tuple[int, ...], in_object: bool = False
) -> Any:
    kind = type(value)
    is_nan = kind is float and math.isnan(value)  # export looks for an equal one
    if (kind in _PLAIN and not is_nan) or isinstance(value, _LEAVES):
        found.leaves.append(value)
        found.paths.append(path)
        return None
    if id(value) in within:
        raise Unknown(path, value, "it holds itself")
    if len(within) > _DEEPEST:
        raise Unknown(path, value, "it is nested too deep")
    try:
        opened = open_container(value)
        if opened is None:
            if isinstance(value, _NAMED) and not in_object:
                raise NoData(f"a {kind.__name__} has no exact data")
            fixed = Fixed(data_of(value))
            found.fixed[len(found.leaves)] = f"{value!r:.60}"
            found.leaves.append(None)
            found.paths.append(path)
            if hasattr(kind, "__members__"):
                found.types[name_of(kind)] = kind
            elif isinstance(value, _NAMED):
                found.types[name_of(value)] = value
            return fixed
        keys = tuple(data_of(key) for key in opened.keys)
    except NoData as error:
        raise Unknown(path, value, str(error)) from None
    name = name_of(opened.type)
    found.types[name] = opened.type
    if opened.kind == "object" and id(value) in found.arguments:
        return Nest(ARGUMENT, name, (), (), found.arguments[id(value)], ())
    children = [
        _flatten(child, path + step, found, (*within, id(value)), opened.kind == "object")
        for child, step in zip(opened.children, opened.steps(), strict=True)
    ]
    return Nest(opened.kind, name, keys, opened.names, opened.context, tuple(children))


# --- leaves -> the containers again --------------------------------------------------------------


def builder(nest: Any, known: Mapping[str, Any]) -> Callable[[Iterator[Any]], Any]:
    """What takes leaves in order and gives the containers.

    Every type is found here, once. Raises TreeTypeMissing naming what this process lacks.
    """
    if nest is None:
        return next
    if isinstance(nest, Fixed):
        value = value_of(nest.data, known)

        def fixed(leaves: Iterator[Any]) -> Any:
            next(leaves)
            return value

        return fixed
    if nest.kind == ARGUMENT:
        return _argument(nest.context)
    inner = [builder(child, known) for child in nest.children]
    if nest.kind == AFTER:
        return _after(nest.context, inner)
    if nest.type == "builtins:tuple":
        return lambda leaves: tuple([make(leaves) for make in inner])
    if nest.type == "builtins:list":
        return lambda leaves: [make(leaves) for make in inner]
    keys = tuple(value_of(key, known) for key in nest.keys)
    if nest.type == "builtins:dict":
        return lambda leaves: {k: make(leaves) for k, make in zip(keys, inner, strict=True)}
    close = finder(nest.kind, nest.type, known, nest.context)
    count, names = len(inner) - len(nest.names), nest.names

    def make_again(leaves: Iterator[Any]) -> Any:
        children = [make(leaves) for make in inner]
        return close(keys, children[:count], names, children[count:])

    return make_again


class Results:
    """The results of a call, one after the other, and the ``arguments`` it was given."""

    def __init__(self, leaves: Sequence[Any], arguments: Sequence[Any]) -> None:
        self._leaves = iter(leaves)
        self.arguments = arguments

    def __iter__(self) -> Results:
        return self

    def __next__(self) -> Any:
        return next(self._leaves)


def names_arguments(nest: Any) -> bool:
    """Whether arguments of the call are part of its result, or changed by it."""
    return isinstance(nest, Nest) and (
        nest.kind in (ARGUMENT, AFTER) or any(map(names_arguments, nest.children))
    )


def after_call(result: Any, arguments: Mapping[int, Any]) -> Nest:
    """A result, and the arguments that the call changes: their positions, and how they are then."""
    return Nest(AFTER, "builtins:tuple", (), (), list(arguments), (result, *arguments.values()))


def _argument(position: int) -> Callable[[Any], Any]:
    return lambda results: results.arguments[position]


def _after(positions: Sequence[int], inner: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def make(results: Results) -> Any:
        result, *made = [one(results) for one in inner]
        for position, now in zip(positions, made, strict=True):
            become(results.arguments[position], now)
        return result

    return make


# --- plain data ----------------------------------------------------------------------------------


def nest_data(nest: Any) -> Any:
    """A nest as JSON data: null for a leaf."""
    if nest is None:
        return None
    if isinstance(nest, Fixed):
        return {"fixed": nest.data}
    data: dict[str, Any] = {"kind": nest.kind, "type": nest.type}
    data |= {k: v for k, v in (("keys", list(nest.keys)), ("names", list(nest.names))) if v}
    if nest.context is not None:
        data["context"] = nest.context
    data["children"] = [nest_data(child) for child in nest.children]
    return data


def read_nest(data: Any) -> Any:
    """The nest that `nest_data` wrote. Raises ValueError for anything else."""
    if data is None:
        return None
    if isinstance(data, dict) and data.keys() == {"fixed"}:
        return Fixed(data["fixed"])
    if not isinstance(data, dict) or not is_type_name(data.get("type")):
        raise ValueError(f"it has {data!r:.60} in the place of a container")
    children: Any = data.get("children")
    keys, names = data.get("keys", []), data.get("names", [])
    if not all(isinstance(part, list) for part in (children, keys, names)):
        raise ValueError(f"the entries of its {data['type']} are no lists")
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"the names of its {data['type']} are no names")
    count = len(children) - len(names)
    if count < 0 or (keys and len(keys) != count):
        raise ValueError(f"its {data['type']} has {len(children)} entries for other names")
    inner = tuple(read_nest(child) for child in children)
    kind = str(data.get("kind"))
    _check_positions(kind, data.get("context"), len(children))
    return Nest(kind, data["type"], tuple(keys), tuple(names), data.get("context"), inner)


def _check_positions(kind: str, context: Any, count: int) -> None:
    """Refuse a number of an argument that is none."""
    wanted = {ARGUMENT: [context], AFTER: context}.get(kind, [])
    is_list = isinstance(wanted, list) and all(type(n) is int and n >= 0 for n in wanted)
    if not is_list or (kind == AFTER and count != 1 + len(wanted)):
        raise ValueError(f"it has {context!r:.60} in the place of the numbers of arguments")


def named_types(nest: Any) -> Iterator[str]:
    """The names of all types in a nest."""
    if isinstance(nest, Nest):
        yield nest.type
        for child in nest.children:
            yield from named_types(child)
    elif isinstance(nest, Fixed) and isinstance(nest.data, dict):
        said = nest.data.get("enum") or nest.data.get("flags") or [nest.data.get("type")]
        if said[0]:
            yield said[0]
