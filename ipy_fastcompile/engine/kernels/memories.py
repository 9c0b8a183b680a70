"""statements of a kernel -> the memory that each of their names is of, and how it is looked at.

Inductor's output code has a name for every way in which it looks at a tensor: what it allocates as
``(s70, 128)`` becomes ``(1, s70, 128)`` by one call, and ``(s70, 128)`` again by another. Here each
use knows the memory and the layout that it wants of it. What a C++ kernel is given is an address,
which has no layout at all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Layout(NamedTuple):
    """Sizes, strides and the offset from where its memory begins, as source text."""

    size: str
    stride: str
    offset: str = "0"


@dataclass
class Memory:
    """What an input, an allocation or the result of an op begins.

    ``layout`` is known where ``made`` allocates it. ``is_freed``: a statement deletes names of it,
    and its caller has none, as of an input.
    """

    name: str
    layout: Layout | None = None
    made: ast.Assign | None = None
    is_freed: bool = False
    uses: list[Use] = field(default_factory=list)


class Use(ast.expr):
    """A place in a statement that reads a memory. ``layout`` is None for that it has by itself.

    ``by`` is the name that stood there, "" where the layout was written out on the spot.
    """

    _fields = ()

    def __init__(self, memory: Memory, layout: Layout | None, by: str, *, address: bool) -> None:
        super().__init__()
        self.memory = memory
        self.layout = layout
        self.by = by
        self.is_address = address


class Unknown(Exception):
    """A statement of another kind, or a name that is given twice."""


class Reader(ast.NodeTransformer):
    """Puts a `Use` in the place of every name, statement by statement.

    ``kernels`` are the names of C++ kernels.
    """

    def __init__(self, inputs: Iterable[str], kernels: Set[str]) -> None:
        self.memories: list[Memory] = []
        self._views: dict[str, tuple[Memory, Layout | None]] = {}
        self._kernels = kernels
        self._inputs = {name: self._begin(Memory(name)) for name in inputs}

    def read(self, statements: list[ast.stmt]) -> Iterator[ast.stmt]:
        """The statements that do something; names that only look at a memory are gone.

        Raises Unknown at the first that has no place in a straight line.
        """
        for statement in statements:
            if isinstance(statement, ast.Delete):
                self._delete(statement)
            elif isinstance(statement, ast.Assign):
                if self._assign(statement):
                    yield statement
            elif isinstance(statement, (ast.Expr, ast.Return)):
                yield self.generic_visit(statement)  # type: ignore[misc]
            else:
                raise Unknown

    def _begin(self, memory: Memory) -> Memory:
        self._name(memory.name, memory, memory.layout)
        self.memories.append(memory)
        return memory

    def _name(self, name: str, memory: Memory, layout: Layout | None) -> None:
        if name in self._views:
            raise Unknown
        self._views[name] = memory, layout

    def _delete(self, statement: ast.Delete) -> None:
        for target in statement.targets:
            if not isinstance(target, ast.Name) or target.id not in self._views:
                raise Unknown
            memory, _ = self._views[target.id]
            memory.is_freed = memory.name not in self._inputs

    def _assign(self, statement: ast.Assign) -> bool:
        """Note what a name is from here on; whether the statement makes anything."""
        target, value = statement.targets[0], statement.value
        if len(statement.targets) > 1 or not isinstance(target, ast.Name):
            raise Unknown
        # An input by another name is a size as a rule, which others are written with.
        is_input = isinstance(value, ast.Name) and value.id in self._inputs
        seen = None if is_input else self._seen(value)
        if seen is not None:
            self._name(target.id, *seen)
            return False
        memory = Memory(target.id)
        if _calls(value, "empty_strided_cpu"):
            size, stride, _ = map(ast.unparse, value.args)  # type: ignore[attr-defined]
            memory = Memory(target.id, Layout(size, stride), statement)
        statement.value = self.visit(value)
        self._begin(memory)
        return True

    def _seen(self, value: ast.expr) -> tuple[Memory, Layout | None] | None:
        """The memory that an expression only looks at, and how."""
        if isinstance(value, ast.Name):
            return self._views.get(value.id)
        if not _calls(value, "reinterpret_tensor"):
            return None
        of, size, stride, offset = value.args  # type: ignore[attr-defined]
        if not isinstance(of, ast.Name) or of.id not in self._views:
            return None
        memory, layout = self._views[of.id]
        steps = [s for s in (layout.offset if layout else "0", ast.unparse(offset)) if s != "0"]
        offsets = " + ".join(f"({s})" if len(steps) > 1 else s for s in steps) or "0"
        return memory, Layout(ast.unparse(size), ast.unparse(stride), offsets)

    def visit_Name(self, node: ast.Name) -> Any:
        """The use of a name."""
        return self._use(node, node.id)

    def visit_Call(self, node: ast.Call) -> Any:
        """The use of a view that is made on the spot; addresses, for a kernel of C++."""
        seen = self._use(node, "")
        if isinstance(seen, Use):
            return seen
        is_kernel = isinstance(node.func, ast.Name) and node.func.id in self._kernels
        node.args = [self.visit(argument) for argument in node.args]
        for argument in node.args:
            if isinstance(argument, Use):
                argument.is_address = is_kernel
        node.keywords = [self.visit(word) for word in node.keywords]
        return node

    def _use(self, node: ast.expr, by: str) -> ast.expr:
        seen = self._seen(node)
        if seen is None:
            return node
        use = Use(*seen, by, address=False)
        seen[0].uses.append(use)
        return ast.copy_location(use, node)


def uses_of(statement: ast.AST) -> Iterator[Use]:
    """The uses in a statement, in the order in which it is written."""
    return (node for node in ast.walk(statement) if isinstance(node, Use))


def _calls(value: ast.expr, name: str) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id == name
        and not value.keywords
    )
