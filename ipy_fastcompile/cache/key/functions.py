"""function, or whatever wraps one -> lines: its name, and what it carries."""

from __future__ import annotations

import collections
import functools
import types
from typing import Any

import torch

from ...torch_compat import ops
from .code import code_digest
from .handler import Handler, Write, has_parts, says
from .names import class_name, shortened
from .walker import Walker

_TUPLE_GETTER = type(collections.namedtuple("_Pair", "a").a)  # type: ignore[attr-defined]
_CACHED = type(functools.lru_cache(lambda: None))


def is_bare(value: Any) -> bool:
    """Whether it is a function, and no more than its code and its module."""
    if not isinstance(value, types.FunctionType):
        return False
    extras = (value.__closure__, value.__defaults__, value.__kwdefaults__)
    return not any(extras) and not value.__dict__


def write_function(walker: Walker, path: str, value: Any, _depth: int) -> None:
    """The name of a function; what it carries is for whoever reaches it."""
    if not walker.in_package:  # a package's functions are many, and not what user's code shows
        walker.note_address(value)
    walker.line(path, f"function {walker.label(value)}")
    walker.reach_function(value, path)


def _addressed(write: Write) -> Write:
    """The text of such a value holds an address."""

    def write_too(walker: Walker, path: str, value: Any, depth: int) -> None:
        walker.note_address(value)
        write(walker, path, value, depth)

    return write_too


def _builtin(walker: Walker, path: str, value: Any, depth: int) -> None:
    owner = value.__self__
    if owner is None or isinstance(owner, (types.ModuleType, type)):
        where = value.__module__ or getattr(owner, "__name__", "")
        walker.line(path, f"builtin {where}.{value.__qualname__}")
        if isinstance(owner, types.ModuleType):
            walker.count(owner)
        if value.__name__ != "__new__":  # what it makes is the object's class
            walker.judge(path, value)
    else:
        _bound(walker, path, value, depth)


def _bound(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, f"builtin method {value.__name__}")
    walker.describe(f"{path}.__self__", value.__self__, depth + 1)


def _wrapper(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, type(value).__name__)
    walker.describe(f"{path}.__func__", value.__func__, depth + 1)


def _cached(walker: Walker, path: str, value: Any, depth: int) -> None:
    # What it has cached is what the function returned.
    walker.line(path, "lru_cache")
    walker.remember(path, value)
    walker.describe(f"{path}.__wrapped__", value.__wrapped__, depth + 1)


def _module(walker: Walker, path: str, value: Any, _depth: int) -> None:
    walker.line(path, f"module {value.__name__}")
    walker.reach_module(value)


def _op(walker: Walker, path: str, value: Any, _depth: int) -> None:
    walker.line(path, f"op {ops.op_name(value)}")
    walker.reach_op(value, path)


FUNCTIONS = (
    Handler((types.FunctionType,), write_function),
    Handler((types.MethodType,), _addressed(has_parts("method", "__func__", "__self__"))),
    Handler((types.BuiltinFunctionType,), _addressed(_builtin)),
    Handler(
        (types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
        says(lambda value: f"builtin {class_name(value.__objclass__)}.{value.__name__}"),
    ),
    Handler((types.MethodWrapperType,), _bound),
    Handler(
        (types.MemberDescriptorType, types.GetSetDescriptorType),
        says(lambda value: f"slot {value.__name__}"),
    ),
    Handler((_TUPLE_GETTER,), says(lambda value: f"field {value.__reduce__()[1][0]}")),
    Handler((property,), has_parts("property", "fget", "fset", "fdel")),
    Handler((staticmethod, classmethod), _wrapper),
    Handler(
        (functools.partial,),
        _addressed(has_parts("partial", "func", "args", "keywords", "__dict__")),
    ),
    Handler((functools.cached_property,), has_parts("cached_property", "func")),
    Handler((_CACHED,), _cached),
    Handler((types.ModuleType,), _module),
    Handler((types.CodeType,), says(lambda value: f"code {code_digest(value)}")),
    Handler((object,), _op, when=ops.op_name),
    Handler(
        (torch.jit.ScriptFunction,), says(lambda value: shortened(f"script {value.inlined_graph}"))
    ),
)
