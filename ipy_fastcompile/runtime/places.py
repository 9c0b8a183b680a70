"""module + names -> where its tensors are kept: the dicts and keys that hold them now.

An assignment to a module (`load_state_dict(assign=True)`, a new submodule) changes what is at such
a place. Looking there is a C function's work, so that it can be done at every call.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch

from ..frozen import NamedTuple
from ..torch_compat import module_tables
from .wrappers import name_step_into


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
        self._owners: dict[str, _Tables] = {}
        self.steps: list[tuple[dict[str, Any], str, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self._enter("", root)

    def find(self, name: str) -> Place:
        """The place of a path such as ``layers.0.weight``; its ``tensor`` may be None."""
        return self.find_all((name,))[0]

    def find_all(self, names: Iterable[str]) -> list[Place]:
        """The place of each path. One loop: it runs once for every tensor of every load."""
        owners, found, place = self._owners, [], _place
        for name in names:
            prefix, _, key = name.rpartition(".")
            owner, parameters, buffers, _ = owners.get(prefix) or self._owner(prefix)
            if (tensor := parameters.get(key)) is not None:
                found.append(place((parameters, key, owner, tensor)))
            elif (tensor := buffers.get(key)) is not None:
                found.append(place((buffers, key, owner, tensor)))
            else:
                found.append(Place(None, key, owner, getattr(owner, key, None)))
        return found

    def _enter(self, path: str, owner: Any) -> _Tables:
        tables = module_tables.tables_of(owner) if isinstance(owner, torch.nn.Module) else _NONE
        modules = tables[2]
        # Most modules on the way have no submodules, and are no wrappers then.
        while modules and (step := name_step_into(owner)):  # `torch.compile`'s, say
            owner = modules[step]  # the model in it
            self.steps.append((modules, step, owner))
            tables = module_tables.tables_of(owner)
            modules = tables[2]
        self._owners[path] = entry = (owner, *tables)
        return entry

    def _owner(self, path: str) -> _Tables:
        prefix, _, key = path.rpartition(".")
        owner, _, _, modules = self._owners.get(prefix) or self._owner(prefix)
        found = modules.get(key)
        if found is not None:
            self.steps.append((modules, key, found))
        else:
            found = getattr(owner, key, None)
            self.attributes.append((owner, key, found))
        return self._enter(path, found)


_place = partial(tuple.__new__, Place)  # `Place._make`, at the speed of C

# An object on the way, and its dicts of parameters, buffers and submodules.
_Tables = tuple[Any, dict[str, Any], dict[str, Any], dict[str, Any]]
_NONE: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
