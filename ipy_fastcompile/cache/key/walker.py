"""What describing a value, and following a function's code, need of the walk they are part of.

`walk.Walk` is all of it. The rooms beside it know only these two, so that none imports another.
"""

from __future__ import annotations

import types
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch

from .chains import Chain
from .home import Home


class Walker(Protocol):
    """What describing needs."""

    def describe(self, path: str, value: Any, depth: int = 0) -> None:
        """Write a value that was found, as lines the first of which starts with ``path``."""

    def line(self, path: str, text: str) -> None:
        """Add ``path = text`` to the component that is being written."""

    def miss(self, path: str, why: str) -> None:
        """Say that the value at ``path`` is not covered."""

    def attribute(self, name: str) -> AbstractContextManager[None]:
        """What is described inside can only be got at by code that mentions this attribute."""

    def binding(self, name: str) -> AbstractContextManager[None]:
        """What is described inside is the value of this name, for the code that uses it."""

    def if_used(self, use: str, text: str, name: str = "") -> None:
        """``text`` counts if the user's code may see it: the order of a set, for instance."""

    def note_address(self, value: Any) -> None:
        """The text of a value, which the user's code may ask for, holds an address."""

    def known(self, value: Any, path: str) -> str | None:
        """Where a mutable value was described before; if nowhere, ``path`` is where it is now."""

    def label(self, function: types.FunctionType) -> str:
        """The name of a function, with a number if another one has the same name."""

    def reach_function(self, function: types.FunctionType, path: str) -> None:
        """A function was found at ``path``."""

    def reach_class(self, cls: type, *, is_made: bool = False) -> None:
        """A class was found by itself (``is_made``: objects may be made of it), or an instance."""

    def reach_module(self, module: types.ModuleType) -> None:
        """A module was found."""

    def reach_tree(self, module: torch.nn.Module, path: str, depth: int) -> None:
        """A module was found that is not part of the model."""

    def reach_op(self, packet: Any, path: str) -> None:
        """A registered op was found."""

    def judge(self, path: str, value: Any) -> None:
        """A function or class was found, and may be called."""

    def count(self, module: types.ModuleType) -> None:
        """Put the version of the package of a module into the key."""

    def deny(self, path: str, cls: type) -> None:
        """An object was found, or a class, some of whose members may read what no key holds."""

    def remember(self, path: str, cached: Any) -> None:
        """A function was found that keeps what it returned."""

    @property
    def in_package(self) -> bool:
        """Whether what is described is a package's own."""


class Follower(Walker, Protocol):
    """What following code needs beside that."""

    environment: set[str]

    def component(self, name: str) -> AbstractContextManager[None]:
        """What is described inside goes to this component; what it reaches, to its own."""

    def component_of(self, where: Home) -> str:
        """The component for values of what lives there: a package has one of its own."""

    def enqueue(self, function: types.FunctionType, where: Home) -> None:
        """Follow the code of a function later, once."""

    def add_source(self, function: types.FunctionType) -> str:
        """Put a function of the user's into the key; returns its text, "" if nothing kept it."""

    def use_package(self, where: Home) -> None:
        """Put a package, and the file that was reached in it, into the key."""

    def is_servant(self, where: Home) -> bool:
        """Whether code is of a package whose version says enough; that is then in the key."""

    def knows_all(self, where: Home) -> bool:
        """Whether any name of what lives there may be looked up."""

    def is_first(self, owner: object, name: str) -> bool:
        """Whether this name of a module, or of a function's globals, was not taken before."""

    def take(self, module: types.ModuleType, name: str, value: Any) -> None:
        """Describe what a module of the user's or of a package has under a name."""

    def take_foreign(self, path: str, value: Any) -> None:
        """Describe what somebody put into a library, or data of a library."""

    def use(self, names: Chain) -> None:
        """The user's code takes these attributes of an object."""

    def hold(self, module: types.ModuleType) -> None:
        """A module is used as a value: any of its names may be meant."""

    def ask(self, name: str, function: Any) -> None:
        """Put the answer of a function into the key."""

    def absent(self, module: str, path: str) -> None:
        """The user's code mentions a module that is not imported."""
