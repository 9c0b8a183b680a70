"""Cell, name of a model -> the cell run, and all calls of the model in it noted.

A cell like ``images = pipe(prompt)`` does not show the calls of ``pipe.unet``. Here the cell runs
as usual, and every call of the named module or function is noted on the way. Then they are handed
over, by their kinds; and the cell may be run once more, with what became of them.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..interrupts import check_whole, interrupts_deferred
from .arguments import near
from .cell import check_callee, parse_cell
from .scope import Scope, Steps, compile_steps, scope_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# What `look_up` returns for a name that leads nowhere; None is an object like any other.
MISSING = object()


# What happens to the calls: (callee, its calls) -> what the cell is run in once more, or None.
OnCalls = Callable[[Any, Any], AbstractContextManager[Any] | None]


def run_noted(
    shell: InteractiveShell,
    source: str,
    name: str,
    on_calls: OnCalls,
    *,
    header: int = 0,
    local_ns: MutableMapping[str, Any] | None = None,
    auto: bool = False,
) -> Any:
    """Run ``source``; then its calls of ``name``, as `Calls`, go to ``on_calls``.

    ``name`` is dotted and may take items: ``pipe.unet``, ``model.layers[0]``. It may come into
    being in the cell: it is looked up again after every statement until it is called. Where
    ``on_calls`` gives a context, the cell is run in it again, with the random numbers of the first
    run, and its value is that of this run. ``auto`` is as in `record`; ``local_ns``, and what is
    returned from a cell that awaits, are as in `run_last_call`.

    Raises
    ------
    UsageError
        When ``name`` does not exist, was not called in the cell, or is neither a module nor a
        function.
    """
    __tracebackhide__ = True
    tree, file = parse_cell(shell, source, header)
    parts, scope = split_name(name), scope_of(shell, local_ns)
    watch = _Watch(scope, parts, name, on_calls, auto=auto)
    steps = compile_steps(shell, tree.body, file, scope, each=True)
    return Steps(steps, before=watch.look, done=watch.hand_over, after=watch.stop).run(shell)


class _Watch:
    """Notes the calls of what a name leads to, which may change as a cell runs."""

    def __init__(
        self, scope: Scope, parts: list[str], name: str, on_calls: OnCalls, *, auto: bool
    ) -> None:
        self._scope, self._parts, self._name, self._on_calls = scope, parts, name, on_calls
        self._auto = auto
        self._watched: Any = MISSING
        self._callee: Any = MISSING
        self._notes: Any = None
        self._inside: list[Any] = []
        self._disarm: Callable[[], None] = _do_nothing
        self._random: dict[str, Any] | None = None

    def look(self) -> None:
        """Look the name up, and note the calls of a new object, unless one was called already."""
        if self._notes is not None and not self._notes.is_empty:
            return
        found = look_up(self._scope.names, self._parts)
        if found is self._watched or found is MISSING:
            return
        self._disarm()
        check_callee(found, self._name)
        check_whole()
        with interrupts_deferred():
            from ..engine.calls.generators import generator_states
            from ..engine.calls.record import notes_for
        if self._random is None:
            self._random = generator_states()
        self._callee, self._notes = found, notes_for(found)
        self._inside.clear()
        self._disarm = _arm(self._scope, self._parts, found, self._notes, self._inside)
        self._watched = look_up(self._scope.names, self._parts)

    def hand_over(self) -> AbstractContextManager[Any] | None:
        """Give the calls away. Raises UsageError, saying why, when there was none."""
        __tracebackhide__ = True
        self._disarm()
        kinds = self._notes.kinds(auto=self._auto) if self._notes is not None else []
        if not kinds:
            raise UsageError(_why_not(self._scope.names, self._parts, self._name, self._inside))
        from ..engine.calls.calls import Calls
        from ..engine.calls.module import model_name

        callee, random = self._callee, self._random
        self.stop()
        again = self._on_calls(callee, Calls(model_name(callee), lambda: kinds))
        return None if again is None else _with_random(random, again)

    def stop(self) -> None:
        """Put everything back, and let go of the model."""
        self._disarm()
        self._disarm, self._watched = _do_nothing, MISSING
        self._callee, self._notes = MISSING, None


@contextmanager
def _with_random(states: Any, again: AbstractContextManager[Any]) -> Iterator[None]:
    """The context, in which random numbers are drawn anew from the ``states`` of before."""
    from ..engine.calls.generators import restore_generators

    restore_generators(states)
    with again:
        yield


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


def _arm(
    scope: Scope, parts: list[str], target: Any, notes: Any, inside: list[Any]
) -> Callable[[], None]:
    """Have calls of ``target`` noted, and those ``inside`` counted; returns what undoes it."""
    if isinstance(target, sys.modules["torch"].nn.Module):
        from ..engine.calls.inside import watched_inside
        from ..engine.calls.record import watched

        stack = ExitStack()
        stack.enter_context(watched(target, notes))
        inside += stack.enter_context(watched_inside(target))
        return stack.close

    @functools.wraps(target)
    def observed(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return notes.call(target, *args, **kwargs)

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


def _why_not(
    namespace: Mapping[str, Any], parts: list[str], name: str, inside: Sequence[Any]
) -> str:
    if other := next((each for each in inside if each.calls), None):
        return (
            f"{name} was not called in the cell, and what it wraps was: {name}{other.path} "
            f"({other.name}). Say -m {name}{other.path}."
        )
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


def _do_nothing() -> None:
    return
