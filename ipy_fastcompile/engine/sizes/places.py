"""arguments of a call -> every place in them, by the way to it: what dynamic sizes are asked of."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ...runtime.containers import Opened, open_container

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Place:
    """A value in a call: ``where`` it is, how it is held, and what it holds, each by its label.

    A label is a key, the name of an attribute or of a field, or a position. ``owner`` is the kind
    of the container that holds it.
    """

    where: str
    value: Any
    opened: Opened | None = None
    children: tuple[tuple[Any, Place], ...] = ()
    owner: str = ""

    @property
    def labels(self) -> list[Any]:
        """How what it holds is called."""
        return [label for label, _ in self.children]

    @property
    def is_tensor(self) -> bool:
        """Whether it has dimensions."""
        return isinstance(self.value, torch.Tensor)

    @property
    def is_number(self) -> bool:
        """Whether it is a whole number, which may be another one in another call."""
        return type(self.value) is int

    def leaves(self) -> Iterator[Place]:
        """The places at the ends of the ways from here, itself where it holds nothing."""
        if self.opened is None:
            yield self
        for _, child in self.children:
            yield from child.leaves()

    def beside(self, place: Place) -> list[Place]:
        """What the container that holds a place holds besides; nothing for an argument itself."""
        for _, child in self.children:
            held = [inner for _, inner in child.children]
            if any(inner is place for inner in held):
                return [inner for inner in held if inner is not place]
            found = child.beside(place)
            if found:
                return found
        return []

    def tensors(self) -> list[Place]:
        """All tensors in it."""
        return [leaf for leaf in self.leaves() if leaf.is_tensor]


def places_of(module: torch.nn.Module, bound: inspect.BoundArguments) -> Place:
    """The arguments of a call as one place, which holds each by its name.

    What falls into ``*args`` counts on from those that have names; what would fall into
    ``**kwargs`` has a name by now (`ipy_fastcompile.engine.calls.stand_in`).
    """
    found: list[tuple[Any, Place]] = []
    parameters = inspect.signature(module.forward).parameters
    named = sum(parameter.kind in _POSITIONAL for parameter in parameters.values())
    for name, value in bound.arguments.items():
        if parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            inner = tuple((i, _place(f"args[{named + i}]", item)) for i, item in enumerate(value))
            found.append((name, Place(name, value, Opened("tuple", tuple, (), value), inner)))
        else:
            found.append((name, _place(name, value)))
    return Place("", None, Opened("dict", dict, (), ()), tuple(found))


def _place(where: str, value: Any, owner: str = "") -> Place:
    opened = None if isinstance(value, torch.Tensor) else open_container(value)
    if opened is None:
        return Place(where, value, owner=owner)
    children = [
        (label, _place(where + step, child, opened.kind))
        for label, step, child in zip(opened.labels, opened.steps(), opened.children, strict=True)
    ]
    return Place(where, value, opened, tuple(children), owner)
