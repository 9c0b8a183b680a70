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
        self.steps: list[tuple[dict[str, Any], str, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self._modules: dict[str, Any] = {"": self._inside(root)}

    def find(self, name: str) -> Place:
        """The place of a path such as ``layers.0.weight``; its ``tensor`` may be None."""
        prefix, _, key = name.rpartition(".")
        owner = self._modules[prefix] if prefix in self._modules else self._module(prefix)
        if _is_module(owner):
            for holder in torch_internals.tensors_of(owner):
                tensor = holder.get(key)
                if tensor is not None:
                    return Place(holder, key, owner, tensor)
        return Place(None, key, owner, getattr(owner, key, None))

    def _module(self, path: str) -> Any:
        if path not in self._modules:
            prefix, _, key = path.rpartition(".")
            owner = self._module(prefix)
            modules = torch_internals.modules_of(owner) if _is_module(owner) else {}
            found = modules.get(key)
            if found is not None:
                self.steps.append((modules, key, found))
            else:
                found = getattr(owner, key, None)
                self.attributes.append((owner, key, found))
            self._modules[path] = self._inside(found)
        return self._modules[path]

    def _inside(self, module: Any) -> Any:
        """The model itself, where `torch.compile` or `nn.DataParallel` is wrapped around it."""
        while step := step_into(module):
            modules = torch_internals.modules_of(module)
            self.steps.append((modules, step, modules[step]))
            module = modules[step]
        return module


def _is_module(value: Any) -> bool:
    return isinstance(value, torch.nn.Module)
