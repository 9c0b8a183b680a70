"""module -> another one with its parameters and hooks, and a forward that `torch.export` takes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...torch_compat import surroundings


class StandIn(torch.nn.Module):
    """A module that stands in for another one: same parameter names, same hooks."""

    def __init__(self, owner: torch.nn.Module) -> None:
        super().__init__()
        self.__dict__.update(owner.__dict__)


def call_through(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function: bound to it, a forward with a signature of its own."""
    return function(*args, **kwargs)


def with_named_keywords(module: torch.nn.Module, kwargs: dict[str, Any]) -> torch.nn.Module:
    """The module with a name in its signature for each keyword that falls into ``**kwargs``.

    `torch.export` counts those twice when it is given dynamic shapes, up to 2.14 at least.
    """
    parameters = inspect.signature(module.forward).parameters
    extra = [name for name in kwargs if name not in parameters]
    if not extra:
        return module
    named = [p for p in parameters.values() if p.kind is not p.VAR_KEYWORD]
    named += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in extra]
    wrapper = StandIn(module)
    call = functools.wraps(module.forward)(functools.partial(call_through, module.forward))
    call.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    wrapper.forward = call
    return wrapper


def under_autocast(module: torch.nn.Module) -> torch.nn.Module:
    """The module with the autocast that is on around the compile inside of its forward.

    Export keeps a region that a forward enters, and does not see one that it is in.
    """
    active = surroundings.autocasts()
    if not active:
        return module
    wrapper = StandIn(module)
    wrapper.forward = functools.wraps(module.forward)(
        functools.partial(_call_under, active, module.forward)
    )
    return wrapper


def _call_under(
    autocasts: Mapping[str, torch.dtype], function: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    with contextlib.ExitStack() as stack:
        for kind, dtype in autocasts.items():
            stack.enter_context(torch.autocast(kind, dtype))
        return function(*args, **kwargs)
