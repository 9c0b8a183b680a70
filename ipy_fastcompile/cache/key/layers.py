"""class or function of torch's and Python's -> what somebody put into it; their versions say the
rest.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import torch

from . import home
from .code import Mentions
from .home import home_of_class, home_of_function
from .judge import identity
from .names import class_name, function_name
from .outside import find
from .walker import Follower


def is_foreign(function: types.FunctionType) -> bool:
    """Whether the code of a function comes neither from torch nor from Python."""
    return home_of_function(function.__code__, function.__globals__).owner != home.LIBRARY


def foreign_inside(function: Any) -> list[types.FunctionType]:
    """The functions that are neither torch's nor Python's below the wrappers around them."""
    if not isinstance(function, types.FunctionType):
        return []
    if is_foreign(function):
        return [function]
    inner = [cell.cell_contents for cell in function.__closure__ or () if cell_is_set(cell)]
    return [found for content in inner for found in foreign_inside(content)]


def cell_is_set(cell: types.CellType) -> bool:
    """Whether a closure's cell holds something by now."""
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def look_at_library_class(walk: Follower, cls: type) -> Iterator[str]:
    """Follow the code of a layer, and yield the names of methods that somebody put there."""
    is_layer = _is_layer_class(cls)
    for name, value in vars(cls).items():
        if not isinstance(value, types.FunctionType):
            if (is_layer or cls is torch.Tensor) and getattr(value, "__name__", name) != name:
                walk.take_foreign(f"{class_name(cls)}.{name}", f"{value.__name__}")
        elif is_foreign(value):
            yield name
        elif is_layer:
            walk.enqueue(value, home_of_function(value.__code__, value.__globals__))
            if value.__qualname__.rpartition(".")[0] != cls.__qualname__:
                walk.take_foreign(f"{class_name(cls)}.{name}", function_name(value))


def follow_layer(walk: Follower, function: types.FunctionType, mentions: Mentions) -> None:
    """A function of torch's layers: torch's version covers it, but not what was patched."""
    for chain in sorted(mentions.uses.chains):
        value, module, name, _ = find(chain, function.__globals__)
        if isinstance(value, types.FunctionType) and not is_foreign(value):
            if home.is_layer_file(value.__code__.co_filename):
                walk.enqueue(value, home_of_function(value.__code__, value.__globals__))
        if callable(value) and not isinstance(value, types.ModuleType):
            where = module.__name__ if module else str(function.__globals__.get("__name__"))
            _note_patch(walk, f"{where}.{name}", name, value)


def _note_patch(walk: Follower, path: str, name: str, value: Any) -> None:
    """Something in a library that is not what its name says is described."""
    found = identity(value)
    if found is None:
        if not isinstance(value, type) or home_of_class(value).owner == home.USER:
            walk.take_foreign(path, value)
    elif found[1].rpartition(".")[2] != name:
        walk.take_foreign(path, ".".join(found))


def _is_layer_class(cls: type) -> bool:
    # Module itself has a hundred methods that no layer's forward calls.
    return cls.__module__.startswith("torch.nn.modules.") and cls is not torch.nn.Module
