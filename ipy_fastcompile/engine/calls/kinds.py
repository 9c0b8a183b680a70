"""A kind of call that a model was given: plain data, which `compile` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .observed import Part, Place
from .varying import Row


@dataclass(frozen=True, repr=False)
class Kind:
    """Calls that differ in nothing but sizes.

    Attributes
    ----------
    name:
        ``"call_0"``, ``"call_1"``, in the order in which the kinds were first seen.
    args, kwargs:
        An example, as it was before its call.
    dynamic:
        What of it may vary, as `ipy_fastcompile.compile` takes it.
    count:
        How many calls of this kind there were.
    parts:
        The way to each container, tensor and value, and what it is.
    places, seen:
        All that is a size, and the sizes that these were seen with: a row for each combination.
    names:
        What each of ``places`` is called that may vary, by its position.
    autocast:
        The kinds of devices for which autocast was on around the calls, and what it casts to.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dynamic: Any
    count: int
    parts: tuple[Part, ...] = ()
    places: tuple[Place, ...] = ()
    seen: tuple[Row, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    autocast: tuple[tuple[str, torch.dtype], ...] = ()

    def __repr__(self) -> str:
        return f"<{self.name}, seen {self.count} times>"
