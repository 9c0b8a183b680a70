"""roots -> everything that the Python of a call can reach, as components of a key.

A worklist over live objects, not over files: the functions that would run, the globals, closure
cells, defaults and attributes they would read. The user's functions are covered by their text and
code; an installed package by its version, the files and the functions that are reached; torch and
the standard library by their versions, except where somebody patched them.
"""

from __future__ import annotations

import types
from collections import deque
from typing import Any

import torch

from ...torch_compat import ops
from . import home
from .chains import Chain, Uses
from .classes import Classes
from .code import Mentions, code_digest, read_mentions
from .environment import is_environment
from .held import follow_held
from .home import Home, home_of_function, home_of_module
from .judge import denied_members, not_known, why_impure, why_in_package
from .layers import cell_is_set, follow_layer, foreign_inside
from .made_up import makes_up_names
from .metadata import write_metadata
from .names import class_name
from .notes import MOST_VALUES, VALUES, Notes
from .objects import is_mark, is_volatile
from .outside import ABSENT, is_closed, look_at
from .pure import OP_NAMESPACES, SESSIONS
from .structure import describe_module
from .unimported import describe_unimported
from .values import describe


class Walk(Notes):
    """A walk under way; `components` ends it, and `uncovered` is known after that.

    ``environment`` are the variables that are read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.environment: set[str] = set()
        self._makes_up_names = False
        self._queue: deque[tuple[types.FunctionType, Home]] = deque()
        self._functions: set[tuple[int, int]] = set()
        self._names: set[tuple[int, str]] = set()
        self._users_functions: list[tuple[str, types.FunctionType]] = []  # with its component
        self._users_names: set[str] = set()  # what their code mentions
        self._classes = Classes(self)
        self._held: dict[int, types.ModuleType] = {}  # modules that are used as values
        self._users = Uses()  # what all of the user's functions do with names
        self._words: set[str] = set()
        self._denied: list[tuple[str, str, frozenset[str]]] = []
        self._asked: set[str] = set()

    # --- the result --------------------------------------------------------------------------

    @property
    def uncovered(self) -> list[str]:
        """What could not be described, and may be used as far as the code that is reached tells."""
        found = [
            text
            for text, attributes in self.misses
            if self._makes_up_names or self._classes.mentioned.issuperset(attributes)
        ]
        for path, what, names in self._denied:
            used = sorted(names & self._users.loose)
            if used:
                found.append(f"{path}: {not_known(f'{what}.{used[0]}')}")
        return list(dict.fromkeys(found))

    def components(self) -> dict[str, str]:
        """Component -> text, once everything that was reached is described."""
        self._drain()
        self.write_used(self._users)
        write_metadata(self, self._users_names, self._users_functions, self._classes.reached)
        return self.texts()

    # --- Walker: what describing a value calls -----------------------------------------------

    def describe(self, path: str, value: Any, depth: int = 0) -> None:
        """Write ``value`` as lines, the first of which starts with ``path``."""
        describe(self, path, value, depth)

    def reach_function(self, function: types.FunctionType, path: str) -> None:
        """Describe what a function carries, and follow its code later."""
        where = home_of_function(function.__code__, function.__globals__)
        if self.is_servant(where):
            return
        self.judge(path, function)
        if where.owner == home.USER:
            self._users_functions.append((self._component, function))
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if is_volatile(name, where.owner):
                continue
            if cell_is_set(cell):
                with self.binding(name):
                    self.describe(f"{path}, {name}", cell.cell_contents)
            else:
                self.line(f"{path}, {name}", "an empty cell")
        if where.owner != home.LIBRARY:
            with self.binding(""):
                for position, default in enumerate(function.__defaults__ or ()):
                    self.describe(f"{path}, default {position}", default)
                for name, default in (function.__kwdefaults__ or {}).items():
                    self.describe(f"{path}, default of {name}", default)
        for name, value in function.__dict__.items():
            if not (is_mark(name) or is_volatile(name, where.owner)):
                self.describe(f"{path}.{name}", value)
        self.enqueue(function, where)

    def reach_class(self, cls: type, *, is_made: bool = False) -> None:
        """Follow the methods of a class: all of the user's, of others those that are mentioned."""
        self._classes.reach(cls, is_made=is_made)

    def reach_module(self, module: types.ModuleType) -> None:
        """Count the package that a module belongs to; what is in it is for whoever mentions it."""
        self.count(module)
        if not self.in_package:
            self.hold(module)

    def reach_tree(self, module: torch.nn.Module, path: str, depth: int) -> None:
        """Describe a module that is no part of the model, tensors and all."""
        describe_module(self, path, module, depth)

    def reach_op(self, packet: Any, path: str) -> None:
        """Follow the Python functions that implement a registered op."""
        functions, unseen = ops.op_python_functions(packet)
        namespace = ops.op_name(packet).partition("::")[0]
        if not functions and not unseen and namespace not in OP_NAMESPACES:
            unseen = "it is an op of a compiled library, whose version is not known"
        if unseen:
            self.miss(path, unseen)
        foreign = [inner for function in functions for inner in foreign_inside(function)]
        for position, function in enumerate(foreign):
            self.describe(f"{path}, implementation {position}", function)

    def judge(self, path: str, value: Any) -> None:
        """A function or class of a library was found: whether calling it is covered."""
        why = why_in_package(value) if self.in_package else why_impure(value)
        if why:
            self.miss(path, why)

    def deny(self, path: str, cls: type) -> None:
        """An object or a class was found some of whose members read what no key holds."""
        names = denied_members(cls)
        if names:
            self._denied.append((path, class_name(cls), names))

    def remember(self, path: str, cached: Any) -> None:
        """A function keeps what it returned: that may be of values that have changed since."""
        if not self.in_package and cached.cache_info().currsize and not is_closed(cached):
            self.miss(path, "it keeps results, which may be of other values than there are now")

    # --- Follower: what looking at a function's code calls -----------------------------------

    def is_first(self, owner: object, name: str) -> bool:
        """Whether this name of a module, or of a function's globals, was not taken before."""
        if (id(owner), name) in self._names:
            return False
        self._names.add((id(owner), name))
        self.keep(owner)
        return True

    def take(self, module: types.ModuleType, name: str, value: Any) -> None:
        """Describe what a module of the user's or of a package has under a name."""
        path, where = f"{module.__name__}.{name}", home_of_module(module.__name__)
        if not self.is_first(module, name) or self.is_servant(where) or path in SESSIONS:
            return
        self.use_package(where)
        with self.component(self.component_of(where)), self.binding(name):
            self.describe(path, value)

    def take_foreign(self, path: str, value: Any) -> None:
        """Describe what somebody put into a library, or data of a library."""
        if self.is_first(None, path):
            with self.component(VALUES), self.binding(path.rpartition(".")[2]):
                self.describe(path, value)

    def hold(self, module: types.ModuleType) -> None:
        """The user's code has a module as a value: any of its names may be meant."""
        self._held.setdefault(id(module), module)
        self.count(module)

    def count(self, module: types.ModuleType) -> None:
        """Put the version of the package of a module into the key."""
        self.use_package(home_of_module(module.__name__))

    def use(self, names: Chain) -> None:
        """The user's code takes these attributes of an object."""
        self._users.loose.update(names)

    def ask(self, name: str, function: Any) -> None:
        """Put the answer of a function into the key."""
        if name not in self._asked:
            self._asked.add(name)
            with self.component("flags"):
                self.describe(f"{name}()", function())

    def absent(self, module: str, path: str) -> None:
        """The user's code mentions a module that is not imported."""
        describe_unimported(self, module, path)

    def knows_all(self, where: Home) -> bool:
        """Whether any name of what lives there may be looked up."""
        return self._makes_up_names and where.owner == home.USER

    # --- functions ---------------------------------------------------------------------------

    def enqueue(self, function: types.FunctionType, where: Home) -> None:
        """Follow the code of a function later, once."""
        code, scope = function.__code__, function.__globals__
        if (id(code), id(scope)) not in self._functions:
            self._functions.add((id(code), id(scope)))
            self.keep((code, scope))
            self._queue.append((function, where))

    def _drain(self) -> None:
        while self._queue and self.count_of_lines < MOST_VALUES:
            function, where = self._queue.popleft()
            name = self.label(function)
            with self.component(self.component_of(where)):
                self._follow(function, name, where)
            if not self._queue:
                for module in list(self._held.values()):
                    names = self._users.loose | self._words
                    follow_held(self, module, names, makes_up_names=self._makes_up_names)

    def _follow(self, function: types.FunctionType, name: str, where: Home) -> None:
        mentions = read_mentions(function.__code__)
        if where.owner == home.USER:
            self._follow_user(function, mentions, name)
        elif where.owner == home.PACKAGE:
            self.use_package(where)
            self.line(f"code of {name}", code_digest(function.__code__))
            self._mention(mentions)
            self._follow_names(function, mentions, name, is_user=False)
        elif home.is_layer_file(function.__code__.co_filename):
            follow_layer(self, function, mentions)

    def _follow_user(self, function: types.FunctionType, mentions: Mentions, name: str) -> None:
        self._users.loose |= mentions.uses.loose
        self._users.ordered |= mentions.uses.ordered
        if function.__name__ != "__repr__":  # whoever calls it is not covered
            self._users.texted |= mentions.uses.texted
        self._words.update(mentions.words)
        self._users_names.update(mentions.names, mentions.words)
        self._mention(mentions)
        if makes_up_names(mentions, self.add_source(function)):
            self._look_around(function, mentions)
        self._follow_names(function, mentions, name, is_user=True)

    def _mention(self, mentions: Mentions) -> None:
        """Package classes are covered as far as some reached code mentions their attributes."""
        self._classes.mention((*mentions.names, *mentions.words))

    def _follow_names(
        self, function: types.FunctionType, mentions: Mentions, path: str, *, is_user: bool
    ) -> None:
        """Describe the globals that a function reads, and what it takes from modules."""
        scope = function.__globals__
        look_at(self, function, mentions.uses, path, is_user=is_user)
        for name in mentions.globals:
            value = scope.get(name, ABSENT)
            if value is ABSENT or isinstance(value, types.ModuleType) or is_environment(value):
                continue  # `look_at` knows more of these
            where = f"{scope.get('__name__', '?')}.{name}"
            if where not in SESSIONS and self.is_first(scope, name):
                with self.binding(name):
                    self.describe(where, value)

    def _look_around(self, function: types.FunctionType, mentions: Mentions) -> None:
        """Some code makes up the names that it looks up, so all of the user's may be meant."""
        if not self._makes_up_names:
            self._makes_up_names = True
            self._classes.mention_all_known()
        for name in mentions.globals:
            value = function.__globals__.get(name)
            if isinstance(value, types.ModuleType):
                if home_of_module(value.__name__).owner == home.USER:
                    self._whole_module(value)

    def _whole_module(self, module: types.ModuleType) -> None:
        """Everything in a module of the user's: some function looks things up in it by name."""
        if self.is_first(module, "*"):
            for name, value in list(vars(module).items()):
                if not name.startswith("__"):
                    self.describe(f"{module.__name__}.{name}", value)
