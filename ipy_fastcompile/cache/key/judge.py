"""function or class of a library -> why a call of it may read what no key holds, "" when it cannot.

A compiled function, wherever it comes from, and every function and class of Python's library, torch
and NumPy is known by the module that defines it and its name there, or else is not known to be
pure. The Python of other packages and of the user is followed instead (see `walk`).
"""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

import numpy as np
import torch

from . import home, pure
from .home import home_of_class, home_of_function

_WRAPPED = type(functools.lru_cache(lambda: None))
_DISPATCHER = type(np.mean)


def identity(value: Any) -> tuple[str, str] | None:
    """(module, name) of a function or class, of its own and not of where it was found.

    None for what is neither, and for what code of the user's or of a package defines in Python.
    """
    if isinstance(value, type):
        where = home_of_class(value)
        if where.owner == home.LIBRARY or _is_judged(where.name):
            return str(value.__module__), value.__qualname__
        return None
    if isinstance(value, types.FunctionType):
        where = home_of_function(value.__code__, value.__globals__)
        if where.owner == home.LIBRARY or _is_judged(where.name):
            return str(value.__globals__.get("__name__", "")), value.__code__.co_name
        return None
    if isinstance(value, types.BuiltinFunctionType):
        return _identity_of_builtin(value)
    if isinstance(value, (np.ufunc, _DISPATCHER)):
        name = str(getattr(value, "__name__", "without a name"))
        is_own = getattr(np, name, None) is value
        return ("numpy" if is_own else "a compiled function"), name
    return None


def why_impure(value: Any) -> str:
    """Why a call of ``value`` is not known to depend on its arguments alone, "" when it is."""
    if isinstance(value, _WRAPPED):
        value = value.__wrapped__
    found = identity(value)
    if found is None:
        return _why_servant(value)
    module, name = found
    if isinstance(value, type) and issubclass(value, (BaseException, np.generic, enum_base())):
        return ""
    return "" if is_pure(module, name) else not_known(f"{module}.{name}")


def _why_servant(value: Any) -> str:
    """The user's code calls a package that fetches, stores or schedules."""
    if isinstance(value, types.FunctionType):
        where = home_of_function(value.__code__, value.__globals__)
    elif isinstance(value, type):
        where = home_of_class(value)
    else:
        return ""
    is_servant = where.owner == home.PACKAGE and where.name in pure.SERVANTS
    return not_known(f"{value.__module__}.{value.__qualname__}") if is_servant else ""


def why_in_package(value: Any) -> str:
    """Why a call of ``value`` by a package's code is not covered, "" when it is.

    Package code is followed as far as any name in it may lead, far beyond what a call runs: in it
    only what is never the same counts, and what is compiled.
    """
    found = identity(value)
    if found is None:
        return ""
    module, name = found
    why = _why_foreign(value)
    if why:
        return why
    is_random = module in pure.RANDOM or f"{module}.{name}" in pure.RANDOM
    return not_known(f"{module}.{name}") if is_random else ""


def _why_foreign(value: Any) -> str:
    """A compiled function of a package cannot be followed."""
    found = identity(value) if isinstance(value, types.BuiltinFunctionType) else None
    where = home.home_of_module(found[0]) if found else None
    if found is None or where is None or where.owner != home.PACKAGE or _is_judged(where.name):
        return ""
    return "" if where.name in pure.SERVANTS else not_known(".".join(found))


def not_known(what: str) -> str:
    """The sentence about ``what``."""
    return f"it uses {what}, and what that reads is not in the key"


@functools.cache
def is_pure(module: str, name: str) -> bool:
    """Whether this name of a module of Python's library, of torch or of NumPy is known to be."""
    first = name.partition(".")[0]
    if module == "builtins":
        return first in pure.BUILTINS
    if f"{module}.{first}" in pure.ANSWERED:
        return True
    top = home.top_level(module)
    if top == "numpy":
        return (
            first in pure.NUMPY and module.count(".") <= 3 and ".random" not in module
        ) or module.startswith(pure.NUMPY_WHOLE)
    if top == "torch":
        if first in pure.TORCH_NOT:
            return False
        whole = any(module == m or module.startswith(f"{m}.") for m in pure.TORCH_WHOLE)
        top_level = module in ("torch", "torch._C", "torch._C._VariableFunctions")
        named = first in pure.TORCH_NAMES or first in pure.NAMES.get(module, ())
        return whole or named or (top_level and _is_op(first))
    return module in pure.WHOLE or first in pure.NAMES.get(module, ())


def is_whole(module: str) -> bool:
    """Whether all names of a module are pure."""
    return module in pure.WHOLE or is_pure(module, "a name that no module has")


def answer(value: Any) -> str:
    """``module.name`` of a function whose answer belongs into the key, else ""."""
    found = identity(value)
    name = f"{found[0]}.{found[1]}" if found else ""
    return name if name in pure.ANSWERED and not isinstance(value, type) else ""


def is_judged(module: str) -> bool:
    """Whether the functions of this module are judged by their names, and not followed."""
    return home.home_of_module(module).owner == home.LIBRARY or _is_judged(home.top_level(module))


def denied_members(cls: type) -> frozenset[str]:
    """The members of a class that read what no key holds."""
    found: frozenset[str] = frozenset()
    for base in cls.__mro__:
        module = base.__module__.removesuffix("._local").removesuffix("._abc")
        found |= pure.MEMBERS_NOT.get(f"{module}.{base.__qualname__}", frozenset())
    return found


def made_by(value: Any) -> type | None:
    """The class of what a call of ``value`` makes, as far as it is known without the call."""
    if isinstance(value, type):
        return value
    found = identity(value)
    return np.ndarray if found is not None and home.top_level(found[0]) == "numpy" else None


def enum_base() -> type:
    """`enum.Enum`: its members are values, whoever defines the class."""
    return sys.modules["enum"].Enum  # type: ignore[no-any-return]


def _is_judged(package: str) -> bool:
    return package == "numpy"


def _is_op(name: str) -> bool:
    value: Any = getattr(torch, name, None)
    is_builtin = isinstance(value, types.BuiltinFunctionType)
    return is_builtin and not isinstance(value.__self__, types.ModuleType)


def _identity_of_builtin(value: Any) -> tuple[str, str] | None:
    owner = value.__self__
    if isinstance(owner, types.ModuleType):
        name = str(value.__module__ or owner.__name__)
        # What a module of another name says it is of another module is not believed.
        known = name == owner.__name__ or home.top_level(name) in (
            home.top_level(owner.__name__), "torch", "numpy",
        )  # fmt: skip
        return (name if known else owner.__name__), value.__name__
    if owner is None:
        return str(value.__module__ or ""), value.__name__
    if isinstance(owner, type):
        if owner.__module__ == "builtins":
            return "builtins", f"{owner.__qualname__}.{value.__name__}"
        return owner.__module__, f"{owner.__qualname__}.{value.__name__}"
    return None  # a method of a value, which is described
