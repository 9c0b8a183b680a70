"""What a walk writes down: lines and sources by component, and what is not covered."""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import home
from .chains import Uses
from .code import code_digest, source_section
from .home import Home, home_of_function
from .names import function_name
from .package import package_header
from .pure import SERVANTS

VALUES = "values"
MOST_VALUES = 300_000


class Notes:
    """Notes under way, for one key."""

    def __init__(self) -> None:
        self.misses: list[tuple[str, tuple[str, ...]]] = []
        self.count_of_lines = 0
        self._attributes: list[str] = []
        self._lines: dict[str, list[str]] = {}
        self._sections: dict[str, dict[tuple[str, int, str, str], str]] = {}
        self._packages: dict[str, set[str]] = {}  # package -> files reached in it
        self._component = VALUES
        self._binding = ""
        self._if_used: list[tuple[str, str, str, str]] = []
        self._known: dict[int, str] = {}
        self._with_address: set[int] = set()
        self._labels: dict[str, list[types.CodeType]] = {}
        self._alive: list[Any] = []  # so that no id is given twice

    def texts(self) -> dict[str, str]:
        """Component -> text."""
        found: dict[str, str] = {}
        for name, sections in sorted(self._sections.items()):
            texts = [text for _, text in sorted(sections.items())]
            digests = [
                f"{where} = {digest}" for (_, _, where, digest), _ in sorted(sections.items())
            ]
            found[name] = "".join([*texts, "@@ compiled code\n", "\n".join(digests)])
        for package, files in sorted(self._packages.items()):
            self._lines.setdefault(f"package:{package}", [])[:0] = package_header(package, files)
        return found | {name: "\n".join(lines) for name, lines in self._lines.items()}

    # --- lines -------------------------------------------------------------------------------

    @contextmanager
    def component(self, name: str) -> Iterator[None]:
        """What is described inside goes to this component; what it reaches, to its own."""
        before, self._component = self._component, name
        try:
            yield
        finally:
            self._component = before

    def component_of(self, where: Home) -> str:
        """The component for values of what lives there: a package has one of its own."""
        return f"package:{where.name}" if where.owner == home.PACKAGE else VALUES

    @property
    def in_package(self) -> bool:
        """Whether what is described is a package's own."""
        return self._component.startswith("package:")

    def line(self, path: str, text: str) -> None:
        """Add ``path = text``, unless it says no more than that a function is where it belongs."""
        self.count_of_lines += 1
        if self.count_of_lines == MOST_VALUES:
            self.miss(path, f"more than {MOST_VALUES} values are reached before it")
        if self.count_of_lines < MOST_VALUES and text != f"function {path}":
            self._lines.setdefault(self._component, []).append(f"{path} = {text}")

    def miss(self, path: str, why: str) -> None:
        """Say that the value at ``path`` cannot be described."""
        self.misses.append((f"{path}: {why}", tuple(self._attributes)))

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

    def note_address(self, value: Any) -> None:
        """The text of a value holds an address, under each name that the value has."""
        self._with_address.add(id(value))
        self.if_used("texted", "its text, which some code asks for, holds an address")

    def write_used(self, uses: Uses) -> None:
        """Lines for what the user's code sees of values beside what they are."""
        for component, use, name, text in self._if_used:
            with self.component(component):
                if use == "texted" and name in uses.texted:
                    self.miss(name, text)
                elif use == "ordered" and (not name or name in uses.ordered):
                    self.line(f"order of {name}", text)
                elif use == "loose" and name in uses.loose:
                    self.line(name, text)

    # --- what was seen before ----------------------------------------------------------------

    def keep(self, value: Any) -> None:
        """Keep a value alive while the walk is, so that its id stays its own."""
        self._alive.append(value)

    def known(self, value: Any, path: str) -> str | None:
        """Where ``value`` was described before, or None, and then it is at ``path`` from now on."""
        if self.count_of_lines >= MOST_VALUES:
            return "(not described)"
        earlier = self._known.get(id(value))
        if earlier is None:
            self._known[id(value)] = path
            self.keep(value)
        elif id(value) in self._with_address:
            self.note_address(value)
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

    # --- sources and packages ----------------------------------------------------------------

    def add_source(self, function: types.FunctionType) -> str:
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

    def use_package(self, where: Home) -> None:
        """Put a package, and the file that was reached in it, into the key."""
        if where.owner == home.PACKAGE:
            files = self._packages.setdefault(where.name, set())
            if where.file:
                files.add(where.file)

    def is_servant(self, where: Home) -> bool:
        """Whether code is of a package whose version says enough; that is then in the key."""
        if where.owner != home.PACKAGE or where.name not in SERVANTS:
            return False
        self._packages.setdefault(where.name, set())
        return True
