"""Cell, name of a model -> the cell run, and the model's first call in it observed.

A cell like ``images = pipe(prompt)`` does not show the call of ``pipe.unet``. Here the cell runs
as usual; the first time the named module or function is called, its arguments are handed over,
and then the call goes on.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from .arguments import near
from .cell import OnCall, check_callee, parse_cell, run_statements

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# What `look_up` returns for a name that leads nowhere; None is an object like any other.
MISSING = object()


def run_first_call(
    shell: InteractiveShell, source: str, name: str, on_call: OnCall, *, header: int = 0
) -> Any:
    """Run ``source``; the first call of ``name`` in it goes to ``on_call`` before it is made.

    ``name`` is dotted and may take items: ``pipe.unet``, ``model.layers[0]``. It may come into
    being in the cell: it is looked up again after every statement until it is called.

    Raises
    ------
    UsageError
        When ``name`` does not exist, was not called in the cell, or is neither a module nor a
        function.
    """
    __tracebackhide__ = True
    tree, file = parse_cell(shell, source, header)
    parts = split_name(name)
    seen: list[str] = []
    watched: Any = MISSING
    disarm: Callable[[], None] = _do_nothing

    def observe(callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        __tracebackhide__ = True
        disarm()
        if not seen:
            seen.append(name)
            # Inside a model, arguments carry gradients that nobody asked for.
            with _no_gradients():
                on_call(callee, args, kwargs)

    value = None
    try:
        for statement in tree.body:
            found = MISSING if seen else look_up(shell.user_ns, parts)
            if found is not watched and found is not MISSING and not seen:
                disarm()
                check_callee(found, name)
                watched, disarm = found, _arm(shell.user_ns, parts, found, observe)
                watched = look_up(shell.user_ns, parts)
            value = run_statements(shell, [statement], file)
    finally:
        disarm()
    if not seen:
        raise UsageError(_why_not(shell.user_ns, parts, name))
    return value


def split_name(name: str) -> list[str]:
    """``model.layers[0]`` -> ``["model", "layers", "0"]``."""
    return re.sub(r"\[(\d+)\]", r".\1", name).split(".")


def look_up(namespace: dict[str, Any], parts: list[str]) -> Any:
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


def _arm(
    namespace: dict[str, Any], parts: list[str], target: Any, observe: OnCall
) -> Callable[[], None]:
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
        namespace[parts[0]] = observed

        def restore() -> None:
            if namespace.get(parts[0]) is observed:
                namespace[parts[0]] = target

        return restore
    owner, last = look_up(namespace, parts[:-1]), parts[-1]
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


def _why_not(namespace: dict[str, Any], parts: list[str], name: str) -> str:
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
