"""module -> where it keeps what it has, and how it is called.

torch.nn.Module; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

# What `torch.compile` notes on a module and on its parameters, for itself alone (seen on 2.13).
MARKS_OF_TORCH_COMPILE = frozenset({"_is_torch_compile", "_dynamo_static_input_type"})


class UnhookedModule(torch.nn.Module):
    """A module whose call is its forward and nothing else: no hook runs, no global one either.

    ``_call_impl`` is what a module's call ends in (seen on 2.11 and 2.13).
    """

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


@contextlib.contextmanager
def call_replaced(module: torch.nn.Module, call: Callable[..., Any]) -> Iterator[None]:
    """While this lasts ``module(...)`` is ``call(own, ...)``, and ``own`` is its usual call.

    ``_compiled_call_impl`` is what `torch.nn.Module.compile` sets (seen on 2.11 and 2.13).
    """
    before = module.__dict__.get("_compiled_call_impl", None)
    # Not by assignment: a module may have its own idea of that.
    module.__dict__["_compiled_call_impl"] = functools.partial(call, module._call_impl)
    try:
        yield
    finally:
        module.__dict__.pop("_compiled_call_impl", None)
        if before is not None:
            module.__dict__["_compiled_call_impl"] = before


@contextlib.contextmanager
def call_watched(module: torch.nn.Module, call: Callable[..., Any]) -> Iterator[None]:
    """While this lasts ``module(...)`` is ``call(own, ...)``; ``own`` is what it was before.

    That may be what `torch.nn.Module.compile` set, or another one who watches.
    """
    before = module.__dict__.get("_compiled_call_impl", None)
    watched = functools.partial(call, before or module._call_impl)
    module.__dict__["_compiled_call_impl"] = watched
    try:
        yield
    finally:
        # Another one who came later and is still there has ours inside.
        if module.__dict__.get("_compiled_call_impl") is watched:
            del module.__dict__["_compiled_call_impl"]
            if before is not None:
                module.__dict__["_compiled_call_impl"] = before


@contextlib.contextmanager
def forward_replaced(module: torch.nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """While this lasts ``module.forward`` is another function; hooks run around it as before."""
    before = module.__dict__.get("forward")
    module.__dict__["forward"] = forward
    try:
        yield
    finally:
        module.__dict__.pop("forward", None)
        if before is not None:
            module.__dict__["forward"] = before


def tables_of(
    module: torch.nn.Module,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The dicts in which a module itself keeps parameters, buffers and submodules.

    Values may be None.
    """
    return module._parameters, module._buffers, module._modules


def global_hooks() -> tuple[list[Any], list[Any]]:
    """The hooks of every module's forward, and those before it."""
    modules = torch.nn.modules.module
    after, before = modules._global_forward_hooks, modules._global_forward_pre_hooks
    return list(after.values()), list(before.values())


def has_pre_hooks(module: torch.nn.Module) -> bool:
    """Whether hooks of its own run before the module's forward."""
    return bool(module._forward_pre_hooks)
