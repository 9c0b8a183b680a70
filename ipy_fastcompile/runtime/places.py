"""module + names -> where its tensors are kept: the dicts and keys that hold them now.

An assignment to a module (`load_state_dict(assign=True)`, a new submodule) changes what is at such
a place. Looking there is a C function's work, so that it can be done at every call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from .. import torch_internals
from .wrappers import step_into


class Place(NamedTuple):
    """A tensor, and the dict and key that hold it; None where an attribute makes it up."""

    holder: dict[str, Any] | None
    key: str
    owner: Any
    tensor: Any


class Places:
    """Finds tensors of a module by path, and remembers every step of the way.

    ``steps`` are ``(dict, key, submodule)``; ``attributes`` are ``(object, name, value)`` of steps
    that are no registered submodules.
    """

    def __init__(self, root: Any) -> None:
        self._owners: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {}
        self.steps: list[tuple[dict[str, Any], str, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self._enter("", root)

    def find(self, name: str) -> Place:
        """The place of a path such as ``layers.0.weight``; its ``tensor`` may be None."""
        prefix, _, key = name.rpartition(".")
        owner, parameters, buffers = self._owners.get(prefix) or self._owner(prefix)
        tensor = parameters.get(key)
        if tensor is not None:
            return Place(parameters, key, owner, tensor)
        tensor = buffers.get(key)
        if tensor is not None:
            return Place(buffers, key, owner, tensor)
        return Place(None, key, owner, getattr(owner, key, None))

    def _enter(self, path: str, owner: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        while step := step_into(owner):  # `torch.compile`'s or `nn.DataParallel`'s: the model in it
            modules = torch_internals.modules_of(owner)
            self.steps.append((modules, step, modules[step]))
            owner = modules[step]
        tables = torch_internals.tensors_of(owner) if _is_module(owner) else ({}, {})
        self._owners[path] = entry = (owner, *tables)
        return entry

    def _owner(self, path: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        if path in self._owners:
            return self._owners[path]
        prefix, _, key = path.rpartition(".")
        owner = self._owner(prefix)[0]
        modules = torch_internals.modules_of(owner) if _is_module(owner) else {}
        found = modules.get(key)
        if found is not None:
            self.steps.append((modules, key, found))
        else:
            found = getattr(owner, key, None)
            self.attributes.append((owner, key, found))
        return self._enter(path, found)


def _is_module(value: Any) -> bool:
    return isinstance(value, torch.nn.Module)
