"""module tree -> lines: classes, flags, attributes and hooks; parameters as specifications.

The tensors of the model itself count with dtype, shape, strides, device and what they share, never
with their values: those are the caller's at every load.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ...torch_compat import module_tables, tensor_kinds
from .hidden import state_of
from .home import home_of_class
from .names import class_name
from .objects import is_volatile, note_attribute_order
from .tensors import tensor_text
from .walker import Walker
from .words import word_set

# What `nn.Module` keeps in every instance: children and tensors are described apart, and hooks by
# their values, since their keys count the hooks of the whole process.
_CHILDREN = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})
# A model stays what it is when `torch.compile` has run it, for comparison.
_LEFT_OUT = _CHILDREN | module_tables.MARKS_OF_TORCH_COMPILE
_HOOKS = word_set(
    """
    _backward_pre_hooks _backward_hooks _forward_hooks _forward_hooks_with_kwargs
    _forward_hooks_always_called _forward_pre_hooks _forward_pre_hooks_with_kwargs
    _state_dict_hooks _state_dict_pre_hooks _load_state_dict_pre_hooks
    _load_state_dict_post_hooks
    """
)
_ALWAYS_NONE = "_is_full_backward_hook"
_PLAIN_TENSORS = (torch.Tensor, nn.Parameter)


def describe_tree(walker: Walker, root: nn.Module, path: str = "model") -> None:
    """Every module below ``root``: its class, ``training``, attributes, and the hooks it has.

    Its tensors must have been named before, by `name_tensors`.
    """
    modules = list(named_modules(root, path))
    for name, module in modules:
        walker.known(module, name)
    for name, module in modules:
        owner = home_of_class(type(module)).owner
        if isinstance(module, torch.jit.ScriptModule):
            walker.miss(name, "it is compiled by TorchScript, and its code cannot be seen")
        walker.reach_class(type(module))
        walker.line(name, class_name(type(module)))
        note_attribute_order(walker, name, module, _LEFT_OUT)
        for attribute, value in state_of(module):
            if attribute in _HOOKS:
                if value:
                    walker.describe(f"{name}.{attribute}", list(value.values()))
            elif not (
                attribute in _LEFT_OUT
                or is_volatile(attribute, owner)
                or (attribute == _ALWAYS_NONE and value is None)
            ):
                with walker.attribute(attribute):
                    walker.describe(f"{name}.{attribute}", value)
        children = vars(module)["_modules"]
        order = [
            child if value is not None else f"{child} (none)" for child, value in children.items()
        ]
        if order:
            walker.line(f"{name}, children", ", ".join(order))


def name_tensors(walker: Walker, root: nn.Module, path: str = "model") -> None:
    """Write every parameter and buffer of the tree as a specification, by its name."""
    storages: dict[int, str] = {}
    for name, kind, tensor in named_tensors(root, path):
        if tensor is None:
            walker.line(name, f"{kind} None")
            continue
        earlier = walker.known(tensor, name)
        if earlier is not None and earlier != name:
            walker.line(name, f"{kind}, tied to {earlier}")
            continue
        if type(tensor) not in _PLAIN_TENSORS or tensor_kinds.is_fake(tensor):
            walker.miss(name, f"it is a tensor of class {class_name(type(tensor))}")
            continue
        walker.if_used("loose", f"of {name}: {tensor.requires_grad}", "requires_grad")
        shared = storages.setdefault(tensor_kinds.storage_identity(tensor), name)
        note = "" if shared == name else f", {tensor.storage_offset()} into the memory of {shared}"
        walker.line(name, f"{kind} {tensor_text(tensor)}{note}")
        for attribute, value in sorted(vars(tensor).items()):
            if attribute not in module_tables.MARKS_OF_TORCH_COMPILE:
                walker.describe(f"{name}.{attribute}", value)


def describe_module(walker: Walker, path: str, module: nn.Module, depth: int) -> None:
    """A module that is no part of the model: a compile freezes its tensors, so values count."""
    describe_tree(walker, module, path)
    for name, kind, tensor in named_tensors(module, path):
        if tensor is None:
            walker.line(name, f"{kind} None")
        else:
            walker.describe(name, tensor, depth + 1)


def named_modules(root: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """(path, module) for every module of the tree, once each, in order."""
    for name, module in root.named_modules():
        yield f"{path}.{name}" if name else path, module


def named_tensors(root: nn.Module, path: str) -> Iterator[tuple[str, str, Any]]:
    """(path, kind, tensor or None) of every parameter and buffer; tied ones under every name."""
    for prefix, module in named_modules(root, path):
        state = vars(module)
        for name, parameter in state["_parameters"].items():
            yield f"{prefix}.{name}", "parameter", parameter
        for name, buffer in state["_buffers"].items():
            lasting = name not in state["_non_persistent_buffers_set"]
            yield f"{prefix}.{name}", "buffer" if lasting else "buffer (not saved)", buffer
