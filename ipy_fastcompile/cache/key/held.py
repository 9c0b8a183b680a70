"""module that the user's code has as a value -> those of its names that the code may mean."""

from __future__ import annotations

import types
from collections.abc import Iterable

from .judge import identity, is_judged, is_whole, not_known, why_impure
from .outside import ABSENT, attribute
from .walker import Follower


def follow_held(
    walk: Follower, module: types.ModuleType, names: Iterable[str], *, makes_up_names: bool
) -> None:
    """Describe what the module has under ``names``; ``makes_up_names``: there may be others."""
    if is_judged(module.__name__):
        if makes_up_names and not is_whole(module.__name__):
            walk.miss(module.__name__, not_known("names in it that are made up"))
        for name in sorted(names):
            _judge(walk, module, name)
        return
    for name in sorted(names):
        value = attribute(module, name)
        if value is not ABSENT and not isinstance(value, types.ModuleType):
            walk.take(module, name, value)


def _judge(walk: Follower, module: types.ModuleType, name: str) -> None:
    value, path = attribute(module, name), f"{module.__name__}.{name}"
    if value is ABSENT or not walk.is_first(module, name):
        return
    why = why_impure(value)
    if why:
        walk.miss(path, why)
    if identity(value) is None and not isinstance(value, types.ModuleType):
        walk.take_foreign(path, value)
