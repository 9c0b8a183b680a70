"""roots -> everything that the Python of a call can reach, as components of a key.

A worklist over live objects, not over files: the functions that would run, the globals, closure
cells, defaults and attributes they would read. The user's functions are covered by their text and
code; an installed package by its version, the files and the functions that are reached; torch and
the standard library by their versions, except where somebody patched them.
"""

from __future__ import annotations

import enum
import os
import types
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...torch_compat import ops
from . import home
from .chains import Chain, Uses
from .code import Mentions, code_digest, read_mentions, source_section
from .home import Home, home_of_class, home_of_function, home_of_module
from .judge import (
    denied_members,
    identity,
    is_judged,
    is_whole,
    not_known,
    why_impure,
    why_in_package,
)
from .made_up import makes_up_names
from .outside import ABSENT, attribute, find, is_closed, look_at
from .package import package_header
from .pure import OP_NAMESPACES, SERVANTS, SESSIONS
from .structure import describe_module
from .unimported import describe_unimported
from .values import VOLATILE, class_name, describe, function_name, functions_of
from .words import word_set

VALUES = "values"
_MOST_VALUES = 300_000

# Attributes of classes that say nothing about what their instances do.
_CLASS_NOISE = word_set(
    """
    __doc__ __module__ __qualname__ __dict__ __weakref__ __annotations__ __annotate__
    __annotate_func__ __annotations_cache__ __firstlineno__ __static_attributes__ __slots__
    __match_args__ __abstractmethods__ _abc_impl __orig_bases__ __parameters__ __type_params__
    __dataclass_fields__ __dataclass_params__ __classdictcell__
    """
)

_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")
# Special methods that run when a class or an object is made, shown, copied or taken apart.
_NOT_IMPLICIT = word_set(
    """
    __init_subclass__ __set_name__ __prepare__ __class_getitem__ __subclasshook__ __reduce__
    __reduce_ex__ __getstate__ __setstate__ __getnewargs__ __getnewargs_ex__ __del__ __repr__
    __str__ __format__ __dir__ __sizeof__ __copy__ __deepcopy__ __replace__
    """
) | set(_CONSTRUCTORS)


class Walk:
    """A walk under way; `components` ends it, and `uncovered` is known after that.

    ``environment`` are the variables that are read.
    """

    def __init__(self) -> None:
        self.environment: set[str] = set()
        self._misses: list[tuple[str, tuple[str, ...]]] = []
        self._attributes: list[str] = []
        self._makes_up_names = False
        self._lines: dict[str, list[str]] = {}
        self._sections: dict[str, dict[tuple[str, int, str, str], str]] = {}
        self._component = VALUES
        self._known: dict[int, str] = {}
        self._alive: list[Any] = []  # so that no id is given twice
        self._queue: deque[tuple[types.FunctionType, Home]] = deque()
        self._labels: dict[str, list[types.CodeType]] = {}
        self._functions: set[tuple[int, int]] = set()
        self._globals: set[tuple[int, str]] = set()
        self._classes: set[type] = set()
        self._made: set[type] = set()
        self._made_classes: set[type] = set()
        self._mentioned: set[str] = {"forward"}
        self._packages: dict[str, set[str]] = {}  # package -> files reached in it
        # Attributes of package classes that nothing has mentioned yet.
        self._waiting: dict[str, list[tuple[type, str]]] = {}
        self._held: dict[int, types.ModuleType] = {}  # modules that are used as values
        self._users = Uses()  # what all of the user's functions do with names
        self._denied: list[tuple[str, str, frozenset[str]]] = []
        self._words: set[str] = set()
        self._binding = ""
        self._if_used: list[tuple[str, str, str, str]] = []
        self._answers: dict[str, str] = {}
        self._count = 0

    # --- the result --------------------------------------------------------------------------

    @property
    def uncovered(self) -> list[str]:
        """What could not be described, and may be used as far as the code that is reached tells."""
        found = [
            text
            for text, attributes in self._misses
            if self._makes_up_names or self._mentioned.issuperset(attributes)
        ]
        for path, what, names in self._denied:
            used = sorted(names & self._users.loose)
            if used:
                found.append(f"{path}: {not_known(f'{what}.{used[0]}')}")
        return list(dict.fromkeys(found))

    def components(self) -> dict[str, str]:
        """Component -> text, once everything that was reached is described."""
        self._drain()
        self._write_used()
        found: dict[str, str] = {}
        for name, sections in sorted(self._sections.items()):
            texts = [text for _, text in sorted(sections.items())]
            digests = [
                f"{where} = {digest}" for (_, _, where, digest), _ in sorted(sections.items())
            ]
            found[name] = "".join([*texts, "@@ compiled code\n", "\n".join(digests)])
        for package, files in sorted(self._packages.items()):
            self._lines.setdefault(f"package:{package}", [])[:0] = package_header(package, files)
        found |= {name: "\n".join(lines) for name, lines in self._lines.items()}
        return found

    @contextmanager
    def component(self, name: str) -> Iterator[None]:
        """What is described inside goes to this component; what it reaches, to its own."""
        before, self._component = self._component, name
        try:
            yield
        finally:
            self._component = before

    # --- Walker: what describing a value calls -----------------------------------------------

    def line(self, path: str, text: str) -> None:
        """Add ``path = text``, unless it says no more than that a function is where it belongs."""
        self._count += 1
        if self._count == _MOST_VALUES:
            self.miss(path, f"more than {_MOST_VALUES} values are reached before it")
        if self._count < _MOST_VALUES and text != f"function {path}":
            self._lines.setdefault(self._component, []).append(f"{path} = {text}")

    def miss(self, path: str, why: str) -> None:
        """Say that the value at ``path`` cannot be described."""
        self._misses.append((f"{path}: {why}", tuple(self._attributes)))

    @contextmanager
    def attribute(self, name: str) -> Iterator[None]:
        """What is described inside can only be got at by code that mentions this attribute."""
        self._attributes.append(name)
        try:
            with self.binding(name):
                yield
        finally:
            self._attributes.pop()

    @contextmanager
    def binding(self, name: str) -> Iterator[None]:
        """What is described inside is the value of this name, for the code that uses it."""
        before, self._binding = self._binding, name
        try:
            yield
        finally:
            self._binding = before

    def if_used(self, use: str, text: str, name: str = "") -> None:
        """``text`` counts if the user's code uses a name so; by default, that of the binding.

        ``use`` is a field of `Uses`: "ordered", "texted" or "loose".
        """
        self._if_used.append((self._component, use, name or self._binding, text))

    @property
    def in_package(self) -> bool:
        """Whether what is described is a package's own."""
        return self._component.startswith("package:")

    def remember(self, path: str, cached: Any) -> None:
        """A function keeps what it returned: that may be of values that have changed since."""
        if not self.in_package and cached.cache_info().currsize and not is_closed(cached):
            self.miss(path, "it keeps results, which may be of other values than there are now")

    def deny(self, path: str, cls: type) -> None:
        """An object or a class was found some of whose members read what no key holds."""
        names = denied_members(cls)
        if names:
            self._denied.append((path, class_name(cls), names))

    def judge(self, path: str, value: Any) -> None:
        """A function or class of a library was found: whether calling it is covered."""
        why = why_in_package(value) if self.in_package else why_impure(value)
        if why:
            self.miss(path, why)

    def known(self, value: Any, path: str) -> str | None:
        """Where ``value`` was described before, or None, and then it is at ``path`` from now on."""
        if self._count >= _MOST_VALUES:
            return "(not described)"
        earlier = self._known.get(id(value))
        if earlier is None:
            self._known[id(value)] = path
            self._alive.append(value)
        return earlier

    def label(self, function: types.FunctionType) -> str:
        """The name of a function, with a number if another one has the same name."""
        name = function_name(function)
        codes = self._labels.setdefault(name, [])
        for position, code in enumerate(codes):
            if code is function.__code__:
                return name if position == 0 else f"{name} ({position + 1})"
        codes.append(function.__code__)
        return name if len(codes) == 1 else f"{name} ({len(codes)})"

    def reach_function(self, function: types.FunctionType, path: str) -> None:
        """Describe what a function carries, and follow its code later."""
        where = home_of_function(function.__code__, function.__globals__)
        if self._is_servant(where):
            return
        self.judge(path, function)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if cell_is_set(cell):
                with self.binding(name):
                    describe(self, f"{path}, {name}", cell.cell_contents)
            else:
                self.line(f"{path}, {name}", "an empty cell")
        if where.owner != home.LIBRARY:
            with self.binding(""):
                for position, default in enumerate(function.__defaults__ or ()):
                    describe(self, f"{path}, default {position}", default)
                for name, default in (function.__kwdefaults__ or {}).items():
                    describe(self, f"{path}, default of {name}", default)
        for name, value in function.__dict__.items():
            if name not in VOLATILE:
                describe(self, f"{path}.{name}", value)
        self._enqueue(function, where)

    def reach_class(self, cls: type, *, is_made: bool = False) -> None:
        """Follow the methods of a class: all of the user's, of others those that are mentioned."""
        if is_made:
            self._reach_constructors(cls)
            if cls not in self._made_classes:
                self._made_classes.add(cls)
                self.judge(class_name(cls), cls)
                self.deny(class_name(cls), cls)
        if cls in self._classes:
            return
        self._classes.add(cls)
        where = home_of_class(cls)
        if self._is_servant(where):
            return
        if type(cls) is not type:
            self.reach_class(type(cls))
        for base in cls.__mro__[1:]:
            self.reach_class(base)
        if where.owner == home.LIBRARY:
            self._reach_library_class(cls)
            return
        if where.owner == home.PACKAGE:
            self._use_package(where)
        else:
            bases = ", ".join(map(class_name, cls.__bases__))
            with self.component(VALUES):
                self.line(class_name(cls), f"class({bases})")
        knows_all = self._knows_all(where) or issubclass(cls, enum.Enum)
        for name, value in list(vars(cls).items()):
            if name in self._mentioned or knows_all or _is_implicit(name):
                self._reach_attribute(cls, name, where)
            else:
                self._waiting.setdefault(name, []).append((cls, name))
                if where.owner == home.USER:
                    for function in functions_of(value):
                        self._add_source(function)

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
        foreign = [inner for function in functions for inner in _foreign_inside(function)]
        for position, function in enumerate(foreign):
            describe(self, f"{path}, implementation {position}", function)

    # --- Follower: what looking at a function's code calls -----------------------------------

    def take(self, module: types.ModuleType, name: str, value: Any) -> None:
        """Describe what a module of the user's or of a package has under a name."""
        if (id(module), name) in self._globals:
            return
        self._globals.add((id(module), name))
        self._alive.append(module)
        where = home_of_module(module.__name__)
        if self._is_servant(where) or f"{module.__name__}.{name}" in SESSIONS:
            return
        is_package = where.owner == home.PACKAGE
        if is_package:
            self._use_package(where)
        component = f"package:{where.name}" if is_package else VALUES
        with self.component(component), self.binding(name):
            describe(self, f"{module.__name__}.{name}", value)

    def take_foreign(self, path: str, value: Any) -> None:
        """Describe what somebody put into a library, or data of a library."""
        if (0, path) not in self._globals:
            self._globals.add((0, path))
            with self.component(VALUES), self.binding(path.rpartition(".")[2]):
                describe(self, path, value)

    def hold(self, module: types.ModuleType) -> None:
        """The user's code has a module as a value: any of its names may be meant."""
        self._held.setdefault(id(module), module)
        self.count(module)

    def count(self, module: types.ModuleType) -> None:
        """Put the version of the package of a module into the key."""
        where = home_of_module(module.__name__)
        if where.owner == home.PACKAGE:
            self._use_package(where)

    def use(self, names: Chain) -> None:
        """The user's code takes these attributes of an object."""
        self._users.loose.update(names)

    def ask(self, name: str, function: Any) -> None:
        """Put the answer of a function into the key."""
        if name not in self._answers:
            self._answers[name] = name
            with self.component("flags"):
                describe(self, f"{name}()", function())

    def absent(self, module: str, path: str, *, is_user: bool) -> None:
        """A module that is not imported is mentioned."""
        if is_user:
            describe_unimported(self, module, path)

    # --- functions ---------------------------------------------------------------------------

    def _enqueue(self, function: types.FunctionType, where: Home) -> None:
        identity = (id(function.__code__), id(function.__globals__))
        if identity in self._functions:
            return
        self._functions.add(identity)
        self._alive.append((function.__code__, function.__globals__))
        self._queue.append((function, where))

    def _drain(self) -> None:
        while self._queue and self._count < _MOST_VALUES:
            function, where = self._queue.popleft()
            name = self.label(function)
            if where.owner == home.USER:
                with self.component(VALUES):
                    self._follow_user(function, name)
            elif where.owner == home.PACKAGE:
                self._use_package(where)
                with self.component(f"package:{where.name}"):
                    self.line(f"code of {name}", code_digest(function.__code__))
                    mentions = read_mentions(function.__code__)
                    self._mention(mentions)
                    self._follow_names(function, mentions, name, is_user=False)
            elif home.is_layer_file(function.__code__.co_filename):
                self._follow_layer(function, read_mentions(function.__code__))
            if not self._queue:
                self._follow_held()

    def _follow_user(self, function: types.FunctionType, name: str) -> None:
        mentions = read_mentions(function.__code__)
        self._users.loose |= mentions.uses.loose
        self._users.ordered |= mentions.uses.ordered
        if function.__name__ != "__repr__":  # whoever calls it is not covered
            self._users.texted |= mentions.uses.texted
        self._words.update(mentions.words)
        self._mention(mentions)
        if makes_up_names(mentions, self._add_source(function)):
            self._look_around(function)
        self._follow_names(function, mentions, name, is_user=True)

    def _add_source(self, function: types.FunctionType) -> str:
        """Put a function of the user's into the key; returns its text, "" if nothing kept it."""
        where = home_of_function(function.__code__, function.__globals__)
        if where.owner != home.USER:
            return ""
        label = where.name if where.name != home.CELLS else f"cell, {function.__qualname__}"
        digest = code_digest(function.__code__)
        key = (label, function.__code__.co_firstlineno, self.label(function), digest)
        sections = self._sections.setdefault(f"source:{where.name}", {})
        if key not in sections:
            sections[key] = source_section(function, label)
        return sections[key]

    def _look_around(self, function: types.FunctionType) -> None:
        """Some code makes up the names that it looks up, so all of the user's may be meant."""
        if not self._makes_up_names:
            self._makes_up_names = True
            for name, owners in list(self._waiting.items()):
                self._waiting[name] = [
                    o for o in owners if not self._knows_all(home_of_class(o[0]))
                ]
                for cls, _ in owners:
                    if self._knows_all(home_of_class(cls)):
                        self._reach_attribute(cls, name, home_of_class(cls))
        for name in read_mentions(function.__code__).globals:
            value = function.__globals__.get(name)
            if isinstance(value, types.ModuleType):
                if home_of_module(value.__name__).owner == home.USER:
                    self._whole_module(value)

    def _knows_all(self, where: Home) -> bool:
        return self._makes_up_names and where.owner == home.USER

    def _follow_names(
        self, function: types.FunctionType, mentions: Mentions, path: str, *, is_user: bool
    ) -> None:
        """Describe the globals that a function reads, and what it takes from modules."""
        scope = function.__globals__
        look_at(self, function, mentions.uses, path, is_user=is_user)
        for name in mentions.globals:
            value = scope.get(name, ABSENT)
            if value is ABSENT or isinstance(value, (types.ModuleType, type(os.environ))):
                continue
            where = f"{scope.get('__name__', '?')}.{name}"
            if (id(scope), name) not in self._globals and where not in SESSIONS:
                self._globals.add((id(scope), name))
                with self.binding(name):
                    describe(self, where, value)

    def _follow_layer(self, function: types.FunctionType, mentions: Mentions) -> None:
        """A function of torch's layers: torch's version covers it, but not what was patched."""
        for chain in mentions.uses.chains:
            value, module, name, _ = find(chain, function.__globals__)
            if isinstance(value, types.FunctionType) and not is_foreign(value):
                if home.is_layer_file(value.__code__.co_filename):
                    self._enqueue(value, home_of_function(value.__code__, value.__globals__))
            if callable(value) and not isinstance(value, types.ModuleType):
                where = module.__name__ if module else str(function.__globals__.get("__name__"))
                self._note_patch(f"{where}.{name}", name, value)

    def _note_patch(self, path: str, name: str, value: Any) -> None:
        """Something in a library that is not what its name says is described."""
        found = identity(value)
        if found is None:
            if not isinstance(value, type) or home_of_class(value).owner == home.USER:
                self.take_foreign(path, value)
        elif found[1].rpartition(".")[2] != name:
            self.take_foreign(path, ".".join(found))

    def _follow_held(self) -> None:
        """Of modules that are used as values, whatever the code that is reached may mean."""
        for module in list(self._held.values()):
            names = self._users.loose | self._words
            if is_judged(module.__name__):
                self._judge_held(module, names)
                continue
            for name in sorted(names):
                value = attribute(module, name)
                if value is not ABSENT and not isinstance(value, types.ModuleType):
                    self.take(module, name, value)

    def _judge_held(self, module: types.ModuleType, names: set[str]) -> None:
        if self._makes_up_names and not is_whole(module.__name__):
            self._note(module.__name__, not_known("names in it that are made up"))
        for name in sorted(names):
            value = attribute(module, name)
            if value is not ABSENT and (id(module), name) not in self._globals:
                self._globals.add((id(module), name))
                self._note(f"{module.__name__}.{name}", why_impure(value))
                if identity(value) is None and not isinstance(value, types.ModuleType):
                    self.take_foreign(f"{module.__name__}.{name}", value)

    def _whole_module(self, module: types.ModuleType) -> None:
        """Everything in a module of the user's: some function looks things up in it by name."""
        if (id(module), "*") in self._globals:
            return
        self._globals.add((id(module), "*"))
        for name, value in list(vars(module).items()):
            if not name.startswith("__"):
                describe(self, f"{module.__name__}.{name}", value)

    # --- classes -----------------------------------------------------------------------------

    def _reach_constructors(self, cls: type) -> None:
        """Code that mentions a class may make an object of it."""
        if cls in self._made:
            return
        self._made.add(cls)
        for base in cls.__mro__:
            where = home_of_class(base)
            if where.owner != home.LIBRARY:
                for name in _CONSTRUCTORS:
                    self._reach_attribute(base, name, where)

    def _reach_attribute(self, cls: type, name: str, where: Home) -> None:
        if name in _CLASS_NOISE or name not in vars(cls):
            return
        is_package = where.owner == home.PACKAGE
        component = f"package:{where.name}" if is_package else VALUES
        with self.component(component), self.binding(name):
            describe(self, f"{class_name(cls)}.{name}", vars(cls)[name])

    def _reach_library_class(self, cls: type) -> None:
        """Of torch's classes and Python's, only what somebody replaced; layers are looked into."""
        is_layer = _is_layer_class(cls)
        for name, value in vars(cls).items():
            if not isinstance(value, types.FunctionType):
                if (is_layer or cls is torch.Tensor) and getattr(value, "__name__", name) != name:
                    self.take_foreign(f"{class_name(cls)}.{name}", f"{value.__name__}")
                continue
            if is_foreign(value):
                if name in self._mentioned or _is_implicit(name):
                    self._reach_attribute(cls, name, home_of_class(cls))
                else:
                    self._waiting.setdefault(name, []).append((cls, name))
            elif is_layer:
                self._enqueue(value, home_of_function(value.__code__, value.__globals__))
                if value.__qualname__.rpartition(".")[0] != cls.__qualname__:
                    self.take_foreign(f"{class_name(cls)}.{name}", function_name(value))

    def _mention(self, mentions: Mentions) -> None:
        """Package classes are covered as far as some reached code mentions their attributes."""
        for name in (*mentions.names, *mentions.words):
            if name in self._mentioned:
                continue
            self._mentioned.add(name)
            for cls, waiting in self._waiting.pop(name, ()):
                self._reach_attribute(cls, waiting, home_of_class(cls))

    # --- what else is noted ------------------------------------------------------------------

    def _is_servant(self, where: Home) -> bool:
        """Whether code is of a package whose version says enough; that is then in the key."""
        if where.owner != home.PACKAGE or where.name not in SERVANTS:
            return False
        self._packages.setdefault(where.name, set())
        return True

    def _use_package(self, where: Home) -> None:
        files = self._packages.setdefault(where.name, set())
        if where.file:
            files.add(where.file)

    def _write_used(self) -> None:
        """Lines for what the user's code sees of values beside what they are."""
        for component, use, name, text in self._if_used:
            with self.component(component):
                if use == "texted" and name in self._users.texted:
                    self.miss(name, text)
                elif use == "ordered" and (not name or name in self._users.ordered):
                    self.line(f"order of {name}", text)
                elif use == "loose" and name in self._users.loose:
                    self.line(name, text)

    def _note(self, path: str, problem: str) -> None:
        if problem:
            self.miss(path, problem)


def is_foreign(function: types.FunctionType) -> bool:
    """Whether the code of a function comes neither from torch nor from Python."""
    return home_of_function(function.__code__, function.__globals__).owner != home.LIBRARY


def _foreign_inside(function: Any) -> list[types.FunctionType]:
    """The functions that are neither torch's nor Python's below the wrappers around them."""
    if not isinstance(function, types.FunctionType):
        return []
    if is_foreign(function):
        return [function]
    inner = [cell.cell_contents for cell in function.__closure__ or () if cell_is_set(cell)]
    return [found for content in inner for found in _foreign_inside(content)]


def cell_is_set(cell: types.CellType) -> bool:
    """Whether a closure's cell holds something by now."""
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _is_layer_class(cls: type) -> bool:
    # Module itself has a hundred methods that no layer's forward calls.
    return cls.__module__.startswith("torch.nn.modules.") and cls is not torch.nn.Module


def _is_implicit(name: str) -> bool:
    """Whether a method runs without being mentioned, on an object that is there already."""
    return name.startswith("__") and name.endswith("__") and name not in _NOT_IMPLICIT
