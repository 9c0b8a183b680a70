"""module -> how it is called: its hooks, its forward, and who watches.

torch.nn.Module; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch


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
    with _replaced(module, "_compiled_call_impl", functools.partial(call, module._call_impl)):
        yield


@contextlib.contextmanager
def call_watched(module: torch.nn.Module, call: Callable[..., Any]) -> Iterator[None]:
    """While this lasts ``module(...)`` is ``call(own, ...)``; ``own`` is what it was before.

    That may be what `torch.nn.Module.compile` set, or another one who watches.
    """
    with _CHANGING:
        watch = _Watch(call, module.__dict__.get("_compiled_call_impl"), module._call_impl)
        module.__dict__["_compiled_call_impl"] = watch
    try:
        yield
    finally:
        with _CHANGING:
            watch.is_over = True
            top = module.__dict__.get("_compiled_call_impl")
            # One that came later and is still there is left alone, and takes ours off with itself.
            while isinstance(top, _Watch) and top.is_over:
                top = top.before
            module.__dict__.pop("_compiled_call_impl", None)
            if top is not None:
                module.__dict__["_compiled_call_impl"] = top


@contextlib.contextmanager
def watches_aside() -> Iterator[None]:
    """While this lasts, calls of modules in this thread are their own, whoever watches them."""
    before = getattr(_ASIDE, "is_on", False)
    _ASIDE.is_on = True
    try:
        yield
    finally:
        _ASIDE.is_on = before


_ASIDE = threading.local()

# Blocks of several threads may begin and end around the same module, in any order.
_CHANGING = threading.Lock()


class _Watch:
    """What is called in a module's place; ``before`` was there before, None for its usual call."""

    def __init__(
        self, call: Callable[..., Any], before: Callable[..., Any] | None, usual: Callable[..., Any]
    ) -> None:
        self.call = call
        self.before = before
        self.usual = usual
        self.is_over = False

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        own = self.before or self.usual
        if self.is_over or getattr(_ASIDE, "is_on", False):
            return own(*args, **kwargs)
        return self.call(own, *args, **kwargs)


@contextlib.contextmanager
def forward_replaced(module: torch.nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """While this lasts ``module.forward`` is another function; hooks run around it as before."""
    with _replaced(module, "forward", forward):
        yield


@contextlib.contextmanager
def _replaced(module: torch.nn.Module, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """While this lasts, a module has an attribute of its own."""
    before = module.__dict__.get(name)
    # Not by assignment: a module may have its own idea of that.
    module.__dict__[name] = function
    try:
        yield
    finally:
        module.__dict__.pop(name, None)
        if before is not None:
            module.__dict__[name] = before


def has_own_call(module: torch.nn.Module) -> bool:
    """Whether a class that is not torch's says what calling its modules does."""
    owner = next(cls for cls in type(module).__mro__ if "__call__" in vars(cls))
    return not owner.__module__.startswith("torch.")


@contextlib.contextmanager
def without_compiled_parts(module: torch.nn.Module) -> Iterator[None]:
    """While this lasts, parts of a module that `torch.compile` has wrapped are there themselves.

    It runs them as they are while a graph is captured, but nodes do not know then which part they
    are of (seen on 2.13). A wrapper with hooks of its own stays.
    """
    found = [
        (inner._modules, name, part)
        for inner in module.modules()
        for name, part in inner._modules.items()
        if type(part).__name__ == "OptimizedModule" and not _has_hooks(part)
    ]
    for parts, name, part in found:
        parts[name] = part._modules["_orig_mod"]  # type: ignore[union-attr]
    try:
        yield
    finally:
        for parts, name, part in found:
            parts[name] = part


def _has_hooks(module: Any) -> bool:
    return bool(module._forward_pre_hooks or module._forward_hooks)


def global_hooks() -> tuple[list[Any], list[Any]]:
    """The hooks of every module's forward, and those before it."""
    modules = torch.nn.modules.module
    after, before = modules._global_forward_hooks, modules._global_forward_pre_hooks
    return list(after.values()), list(before.values())


def hooks_of(module: torch.nn.Module) -> tuple[str, ...]:
    """The hooks that run around forwards in a module: where each is, and what it is called."""
    found = [("every module", hook) for hooks in global_hooks() for hook in hooks]
    for name, child in module.named_modules():
        tables = [child.__dict__.get(table) for table in _HOOKS]
        found += [(name, hook) for table in tables for hook in (table or {}).values()]
    return tuple(f"{name}: {_name_of(hook)}" if name else _name_of(hook) for name, hook in found)


def same_hooks(module: torch.nn.Module) -> Callable[[], bool]:
    """``holds()``: whether hooks and forwards of a module, and of all in it, are those of now."""
    torch_modules = torch.nn.modules.module
    held = [child.__dict__ for child in module.modules()]
    tables = [own.get(name, {}) for own in held for name in _HOOKS]
    tables += [torch_modules._global_forward_pre_hooks, torch_modules._global_forward_hooks]

    def seen() -> tuple[list[tuple[int, ...]], list[Any]]:
        return list(map(tuple, tables)), [own.get("forward") for own in held]

    before = seen()
    return lambda: seen() == before


_HOOKS = ("_forward_pre_hooks", "_forward_hooks")


def _name_of(hook: Any) -> str:
    return str(getattr(hook, "__qualname__", type(hook).__qualname__))


def has_pre_hooks(module: torch.nn.Module) -> bool:
    """Whether hooks of its own run before the module's forward."""
    return bool(module._forward_pre_hooks)
