"""loaded function + its model -> calls of the model run the function, while a block lasts.

They go through the hook that `torch.nn.Module.compile` uses, so that whatever calls the model
(``generate``, a pipeline, a wrapper) needs not know. What the function was not compiled for runs
the model itself: other arguments, other hooks, the other mode.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch

from ..errors import CallError, FastCompileError, InputError, ParameterError, warn_user
from ..torch_compat import module_calls, surroundings
from . import modes
from .dispatch import NOTHING, run_fitting
from .flat import Fit, FlatFunction
from .wrappers import name_step_into, unwrapped


class Installable(Protocol):
    """What `installed` takes: a `LoadedFunction`."""

    @property
    def model(self) -> str:
        """The name of the model that was compiled."""

    @property
    def flat(self) -> FlatFunction:
        """The first program."""

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fit | None:
        """The call as one that fits."""

    def refusal(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> InputError | None:
        """Why it does not."""


@contextlib.contextmanager
def installed(function: Installable, model: Any, *, strict: bool) -> Iterator[None]:
    """While this lasts, ``model(...)`` runs the function; see `LoadedFunction.installed`."""
    module = _module_of(function, model)
    call = _Calls(function, module, strict=strict)
    # Who calls `torch.compile`'s wrapper, or that of a `DataParallel`, calls that.
    seen = model if unwrapped(model) is module else module
    with module_calls.call_watched(seen, call):
        yield


def _module_of(function: Installable, model: Any) -> Any:
    """The module that was compiled: the model, or what is in it. Raises CallError if it is none."""
    if not isinstance(model, torch.nn.Module):
        raise CallError(
            f"{model!r:.60} is no torch.nn.Module, and only a module can have something installed.",
            "Pass the module that the function was loaded for.",
        )
    inner = _inside(model, function.model)
    if module_calls.has_own_call(inner) or function.model != type(inner).__name__:
        raise CallError(
            f"{function.model} is not what a call of a {type(inner).__name__} runs.",
            "Compile the module itself; its class must leave __call__ to torch.nn.Module.",
        )
    bound = function.flat.follower.module
    if bound is None:
        raise CallError(
            f"{function.model} was loaded for a mapping of tensors, or its model is gone.",
            "Load it for the module that it is to be installed in: fc.load(path, model).",
        )
    if _inside(bound, function.model) is not inner:
        raise CallError(
            f"{function.model} was loaded for another model than this {type(model).__name__}, and "
            "would compute with its weights.",
            "Load it for this one: fc.load(path, model).",
        )
    return inner


def _inside(model: Any, name: str) -> Any:
    """The module of a class in a model and peft's wrappers around it, or the innermost one."""
    inner = unwrapped(model)
    while type(inner).__name__ != name and (step := name_step_into(inner)):
        inner = unwrapped(getattr(inner, step))
    return inner


class _Calls:
    """What the calls of a model become; it tells once that one of them runs the model itself."""

    def __init__(self, function: Installable, module: torch.nn.Module, *, strict: bool) -> None:
        self._function = function
        self._module = module
        self._strict = strict
        self._is_told = False
        program = function.flat.follower.program
        self._training = program.training
        self._autocast = program.autocast
        self._hooks = program.hooks
        self._is_odd = bool(self._odd_hooks())
        self._same_hooks = module_calls.same_hooks(module)

    def __call__(self, own: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        why: FastCompileError | None = self._changed()
        if why is None and (self._autocast or not modes.is_plain()):
            why = _traced() or _other_autocast(self._autocast)
        if why is None:
            try:
                found = run_fitting(self._function.find, args, kwargs)
            except ParameterError as error:  # tensors of the model are asked for before a run
                why = error
            else:
                if found is not NOTHING:
                    return found
        if self._is_told and not self._strict:
            return own(*args, **kwargs)
        why = why or self._refusal(args, kwargs)
        if self._strict and why is not None:
            raise why
        self._is_told = True
        warn_user(
            f"A call of {self._function.model} runs the model itself, and so do others like it. "
            f"{why.what if why is not None else ''}"
        )
        return own(*args, **kwargs)

    def _refusal(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> InputError | ParameterError | None:
        try:
            return self._function.refusal(args, kwargs)
        except ParameterError as error:
            return error

    def _changed(self) -> InputError | None:
        """What the model is now that it was not when it was compiled."""
        if self._module.training is not self._training:
            now, then = ("training", "evaluation")[:: 1 if self._module.training else -1]
            return InputError(
                f"The model is in {now} mode, and was in {then} mode when it was compiled.",
                f"Call model.{'eval()' if now == 'training' else 'train()'}, or compile it again.",
            )
        if self._is_odd or not self._same_hooks():
            named = ", ".join(self._odd_hooks()[:3]) or "another forward, or one of the same name"
            return InputError(
                f"The model has other hooks than when it was compiled: {named}.",
                "Compile it with the hooks that it is to have.",
            )
        return None

    def _odd_hooks(self) -> list[str]:
        """Hooks that only one of the model and what was compiled has."""
        return sorted({*module_calls.hooks_of(self._module)} ^ {*self._hooks})


def _other_autocast(compiled: tuple[str, ...]) -> InputError | None:
    now = surroundings.described_autocasts()
    if now == compiled:
        return None
    said = [", ".join(each) or "none" for each in (now, compiled)]
    return InputError(
        f"The autocast is {said[0]}, and was {said[1]} when the model was compiled.",
        "Call it under the same autocast, or compile it again.",
    )


def _traced() -> InputError | None:
    """Why nothing compiled can run here: the call is recorded, or transformed."""
    try:
        modes.refuse_tracers("A compiled function", InputError)
    except InputError as error:
        return error
    return None


surroundings.hide_from_dynamo(_Calls.__call__, "it runs kernels that are compiled already")
