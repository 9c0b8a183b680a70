"""module -> the one inside it that was called in its place.

A wrapper's `generate` may call what it wraps, as peft's does: who records the wrapper sees no call,
and is told whose calls there were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ...runtime.wrappers import name_step_into
from ...torch_compat import module_calls
from .module import model_name


@dataclass
class Inside:
    """A module inside a wrapper: the way to it, its name, and how often it was called."""

    path: str
    name: str
    calls: int = 0

    def call(self, own: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count a call, and make it."""
        self.calls += 1
        return own(*args, **kwargs)


@contextmanager
def watched_inside(model: Any) -> Iterator[list[Inside]]:
    """While this lasts, the calls of what a wrapper holds are counted; outer modules come first."""
    found = []
    with ExitStack() as stack:
        for path, module in _inner(model):
            inside = Inside(path, model_name(module))
            found.append(inside)
            stack.enter_context(module_calls.call_watched(module, inside.call))
        yield found


def _inner(model: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    """What is wrapped, from the outside in: the only child that a module has, or peft's step."""
    path = ""
    while isinstance(model, torch.nn.Module):
        children = dict(model.named_children())
        step = name_step_into(model) or (next(iter(children)) if len(children) == 1 else "")
        if not isinstance(model := children.get(step), torch.nn.Module):
            return
        path += f".{step}"
        if not module_calls.has_own_call(model):
            yield path, model
