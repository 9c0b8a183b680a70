"""calls of a cell + options -> what is compiled of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from .arguments import Options


@dataclass(frozen=True)
class AskedCall:
    """A call, and what of it may vary; or ``calls`` of several kinds in its place."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dynamic: Any = None
    calls: Any = None

    @property
    def several(self) -> dict[str, Any]:
        """The argument of functions that may be given calls in the place of one."""
        return {} if self.calls is None else {"calls": self.calls}


def asked_of(calls: Any, options: Options) -> AskedCall:
    """What is compiled of the calls of a model: the one that there is, or each kind.

    What the options say of an argument counts more than what was seen of it.
    """
    (first, *others) = calls
    dynamic = options.dynamic
    if not others and (dynamic or (first.count == 1 and not first.autocast)):
        return AskedCall(first.args, first.kwargs, dynamic)
    return AskedCall(calls=calls.with_dynamic(dynamic) if isinstance(dynamic, Mapping) else calls)


def runs_again(compiled: Any, callee: Any, calls: Any) -> AbstractContextManager[Any] | None:
    """In what a cell runs once more: with what was compiled, where it makes more than one call.

    Only in a module can something be installed.
    """
    from torch.nn import Module

    if sum(kind.count for kind in calls) == 1 or not isinstance(callee, Module):
        return None
    again: AbstractContextManager[Any] = compiled.installed(callee)
    return again
