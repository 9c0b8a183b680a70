"""model -> the module to capture: a module as it is; a function or method as the forward of one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from ...errors import CallError
from ...runtime.signature import literal_of
from ...runtime.wrappers import unwrapped
from ...torch_compat import module_calls
from .stand_in import StandIn, call_through


def model_name(model: Callable[..., Any]) -> str:
    """``LlamaForCausalLM`` for a module, ``encode`` for a function."""
    model = unwrapped(model)
    if isinstance(model, torch.nn.Module):
        return type(model).__name__
    return str(getattr(model, "__name__", type(model).__name__))


class _Method(StandIn, module_calls.UnhookedModule):
    """A method as a module: the parameters are its owner's, the hooks of its owner do not run."""


def as_module(model: Any) -> torch.nn.Module:
    """The module to capture: ``model`` itself, or a function or bound method wrapped in one."""
    model = unwrapped(model)
    if isinstance(model, torch.nn.Module):
        if not module_calls.has_own_call(model):
            _check_forward(model)
            return model
        model = model.__call__
    owner: Any = getattr(model, "__self__", None)
    if not callable(model) or isinstance(model, type):
        raise CallError(
            f"{type(model).__name__} object {model!r:.60} is neither a module nor a function.",
            "Pass a torch.nn.Module or a function that calls one.",
        )
    wrapper: torch.nn.Module = module_calls.UnhookedModule()
    if isinstance(owner, torch.nn.Module):
        wrapper = _Method(owner)
    call = functools.wraps(model)(functools.partial(call_through, model))
    if not _has_signature(model):
        call.__signature__ = inspect.signature(_any_call)  # type: ignore[attr-defined]
    wrapper.forward = call
    wrapper.training = owner.training if isinstance(owner, torch.nn.Module) else False
    return wrapper


def _check_forward(module: torch.nn.Module) -> None:
    """Refuse a module that only holds others."""
    if type(module).forward is torch.nn.Module.forward and "forward" not in vars(module):
        raise CallError(
            f"A {type(module).__name__} has no forward: it cannot be called.",
            "Pass a module that has one, or a function that calls what this one holds.",
        )


def _has_signature(function: Callable[..., Any]) -> bool:
    """Whether Python knows its arguments; of functions in C, it often does not."""
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _any_call(*args: Any, **kwargs: Any) -> None:
    """The signature of what has none."""


def bind_call(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """The arguments by name. Raises CallError where a forward does not take them."""
    try:
        return inspect.signature(module.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise CallError(
            f"The example call does not fit {type(module).__name__}.forward: {error}.",
            "Call it as you would call the model.",
        ) from error


def defaults_of(module: torch.nn.Module) -> dict[str, str]:
    """The defaults of a forward that are literals, by argument."""
    found = {}
    for name, parameter in inspect.signature(module.forward).parameters.items():
        text = literal_of(parameter.default)
        if text:
            found[name] = text
    return found
