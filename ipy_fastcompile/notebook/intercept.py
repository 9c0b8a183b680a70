"""Cell, name of a model -> the cell run, and the model's first call in it observed.

A cell like ``images = pipe(prompt)`` does not show the call of ``pipe.unet``. Here the cell runs
as usual; the first time the named module or function is called, its arguments are handed over,
and then the call goes on.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from .arguments import near
from .cell import OnCall, check_callee, parse_cell
from .scope import Scope, Steps, compile_steps, scope_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# What `look_up` returns for a name that leads nowhere; None is an object like any other.
MISSING = object()


def run_first_call(
    shell: InteractiveShell,
    source: str,
    name: str,
    on_call: OnCall,
    *,
    header: int = 0,
    local_ns: MutableMapping[str, Any] | None = None,
) -> Any:
    """Run ``source``; the first call of ``name`` in it goes to ``on_call`` before it is made.

    ``name`` is dotted and may take items: ``pipe.unet``, ``model.layers[0]``. It may come into
    being in the cell: it is looked up again after every statement until it is called.
    ``local_ns``, and what is returned from a cell that awaits, are as in `run_last_call`.

    Raises
    ------
    UsageError
        When ``name`` does not exist, was not called in the cell, or is neither a module nor a
        function.
    """
    __tracebackhide__ = True
    tree, file = parse_cell(shell, source, header)
    parts, scope = split_name(name), scope_of(shell, local_ns)
    watch = _Watch(scope, parts, name, on_call)
    steps = compile_steps(shell, tree.body, file, scope, each=True)
    return Steps(steps, before=watch.look, done=watch.check_seen, after=watch.stop).run(shell)


class _Watch:
    """Waits for the first call of what a name leads to, which may change as a cell runs."""

    def __init__(self, scope: Scope, parts: list[str], name: str, on_call: OnCall) -> None:
        self._scope, self._parts, self._name, self._on_call = scope, parts, name, on_call
        self._seen = False
        self._watched: Any = MISSING
        self._disarm: Callable[[], None] = _do_nothing

    def look(self) -> None:
        """Look the name up, and have the next call of a new object observed."""
        if self._seen:
            return
        found = look_up(self._scope.names, self._parts)
        if found is self._watched or found is MISSING:
            return
        self._disarm()
        check_callee(found, self._name)
        self._disarm = _arm(self._scope, self._parts, found, self._observe)
        self._watched = look_up(self._scope.names, self._parts)

    def _observe(self, callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        __tracebackhide__ = True
        self._disarm()
        if not self._seen:
            self._seen = True
            # Inside a model, arguments carry gradients that nobody asked for.
            with _no_gradients():
                self._on_call(callee, args, kwargs)

    def check_seen(self) -> None:
        """Raise UsageError, saying why, when there was no such call."""
        if not self._seen:
            raise UsageError(_why_not(self._scope.names, self._parts, self._name))

    def stop(self) -> None:
        """Put everything back, and let go of the model."""
        self._disarm()
        self._disarm, self._watched = _do_nothing, MISSING


def split_name(name: str) -> list[str]:
    """``model.layers[0]`` -> ``["model", "layers", "0"]``."""
    return re.sub(r"\[(\d+)\]", r".\1", name).split(".")


def look_up(namespace: Mapping[str, Any], parts: list[str]) -> Any:
    """The object that the parts of a dotted name lead to, or the mark of a missing one."""
    found = namespace.get(parts[0], MISSING)
    for part in parts[1:]:
        if part.isdigit() and hasattr(found, "__getitem__"):
            try:
                found = found[int(part)]
            except (LookupError, TypeError):
                return MISSING
        else:
            found = getattr(found, part, MISSING)
    return found


def _arm(scope: Scope, parts: list[str], target: Any, observe: OnCall) -> Callable[[], None]:
    """Have ``observe`` called before the next call of ``target``; returns what undoes it."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(target, torch.nn.Module):
        handle = target.register_forward_pre_hook(
            observe,
            with_kwargs=True,
            prepend=True,  # the arguments as the caller gave them, before other hooks change them
        )
        remove: Callable[[], None] = handle.remove
        return remove

    @functools.wraps(target)
    def observed(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        observe(target, args, kwargs)
        return target(*args, **kwargs)

    if len(parts) == 1:
        namespace = scope.home(parts[0])
        namespace[parts[0]] = observed

        def restore() -> None:
            if namespace.get(parts[0]) is observed:
                namespace[parts[0]] = target

        return restore
    owner, last = look_up(scope.names, parts[:-1]), parts[-1]
    before = getattr(owner, "__dict__", {}).get(last, MISSING)
    setattr(owner, last, observed)

    def restore_attribute() -> None:
        if getattr(owner, "__dict__", {}).get(last) is not observed:
            return
        if before is MISSING:
            delattr(owner, last)
        else:
            setattr(owner, last, before)

    return restore_attribute


def _why_not(namespace: Mapping[str, Any], parts: list[str], name: str) -> str:
    if look_up(namespace, parts) is not MISSING:
        return f"{name} was not called in the cell. Call it there, or drop -m {name}."
    for length in range(1, len(parts) + 1):
        if look_up(namespace, parts[:length]) is MISSING:
            owner = look_up(namespace, parts[: length - 1]) if length > 1 else None
            names = dir(owner) if length > 1 else list(namespace)
            whole = ".".join(parts[:length])
            hint = near(parts[length - 1], names)
            return f"There is no {whole} to compile.{hint or ' -m takes the name of a model.'}"
    raise AssertionError(name)


def _no_gradients() -> AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()


def _do_nothing() -> None:
    return
