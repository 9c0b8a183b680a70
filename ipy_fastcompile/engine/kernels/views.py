"""function of a kernel -> the same, which looks at less memory in another way.

A call that looks at a tensor with other sizes or strides costs as much as an allocation. A layer of
a transformer makes two dozen of them, and needs a third: none where a C++ kernel takes an address,
none where memory may as well be allocated the way that the products around it want it, and one
where several want the same. A product that would fill fresh memory returns its own instead.

The same numbers are computed, and memory is freed no later. Functions that branch, loop or launch
stay as they are.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from .layouts import is_contiguous, same_bytes
from .memories import Layout, Memory, Reader, Unknown, Use, uses_of

# Products whose result is contiguous where they make it themselves.
_PRODUCTS = frozenset({"torch.mm", "torch.bmm", "torch.addmm", "torch.baddbmm"})

# Of statements that stand for no line of Inductor's output code.
_NO_LINE = 0


def fewer_views(
    function: ast.FunctionDef, kernels: Set[str], given: Mapping[int, Layout] | None = None
) -> ast.FunctionDef:
    """A function in the words of the native path; ``kernels`` are those of C++ that it calls.

    ``given`` are the layouts of inputs, by position, that it looks at in no other.
    """
    inputs = [argument.arg for argument in function.args.args]
    reader = Reader(inputs, kernels)
    written = copy.deepcopy(function)
    try:
        statements = list(reader.read(written.body))
    except Unknown:
        return function
    layouts = {inputs[n]: layout for n, layout in (given or {}).items()}
    for memory in reader.memories:
        memory.layout = layouts.get(memory.name, memory.layout)
        _lay_out(memory)
    statements = _with_own_results(statements)
    said = [f"{name} {layout.size}, strides {layout.stride}" for name, layout in layouts.items()]
    head = [ast.Expr(ast.Constant(f"Given as views: {'; '.join(said)}."))] if said else []
    written.body = head + list(_with_deletions(*_Writer(reader.memories).write(statements)))
    return ast.fix_missing_locations(written)


def _lay_out(memory: Memory) -> None:
    """Allocate memory in the layout that most uses want of it."""
    if memory.made is None or memory.layout is None or not isinstance(memory.made.value, ast.Call):
        return
    wanted = Counter(u.layout for u in memory.uses if u.layout is not None and not u.is_address)
    for layout, times in wanted.most_common():
        if times > wanted[memory.layout] and same_bytes(layout, memory.layout):
            memory.layout = layout
            memory.made.value.args[:2] = _expression(layout.size), _expression(layout.stride)
            return


def _with_own_results(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """``buf0 = torch.mm(a, b)`` for an allocation that a product is the first to fill."""
    made: list[ast.stmt] = []
    gone: set[int] = set()
    for statement in statements:
        memory = _filled(statement)
        if memory is None:
            made.append(statement)
            continue
        gone.add(id(memory.made))
        call = statement.value  # type: ignore[attr-defined]
        call.keywords = [word for word in call.keywords if word.arg != "out"]
        result = ast.Assign([ast.Name(memory.name, ast.Store())], call)
        made.append(ast.copy_location(result, statement))
    return [statement for statement in made if id(statement) not in gone]


def _filled(statement: ast.stmt) -> Memory | None:
    """The fresh memory that a product fills as it would lay out a result of its own."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func) not in _PRODUCTS:
        return None
    out = next((word.value for word in call.keywords if word.arg == "out"), None)
    if not isinstance(out, Use):
        return None
    memory, layout = out.memory, out.layout
    is_first = memory.made is not None and memory.uses[0] is out
    is_whole = layout is not None and layout == memory.layout and is_contiguous(layout)
    return memory if is_first and is_whole else None


class _Writer(ast.NodeTransformer):
    """Writes a name or a view for every use; a view that is wanted twice gets a name, too."""

    def __init__(self, memories: Sequence[Memory]) -> None:
        self._freed = {m.name for m in memories if m.made is not None or m.is_freed}
        self._named: dict[tuple[str, Layout], str] = {}
        self._begun: set[str] = set()
        self._returned: dict[str, str] | None = None
        for memory in memories:
            wanted = Counter(u.layout for u in memory.uses if u.layout is not None and _is_view(u))
            for number, (layout, times) in enumerate(wanted.items()):
                if times > 1:
                    own = [u.by for u in memory.uses if u.layout == layout]
                    names = [by for by in own if by not in ("", memory.name)]
                    name = names[0] if names else f"{memory.name}_view_{number}"
                    self._named[memory.name, layout] = name

    def write(self, statements: Sequence[ast.stmt]) -> tuple[list[ast.stmt], set[str]]:
        """The statements without uses, and the names that are deleted when they are not needed."""
        written: list[ast.stmt] = []
        for statement in statements:
            for use in uses_of(statement):
                written += self._begin(use)
            self._returned = {} if isinstance(statement, ast.Return) else None
            written.append(self.visit(statement))
        return written, self._freed | set(self._named.values())

    def _begin(self, use: Use) -> Iterator[ast.stmt]:
        name = self._name(use)
        if name != use.memory.name and name not in self._begun and use.layout is not None:
            self._begun.add(name)
            value = _view(use.memory, use.layout)
            yield ast.Assign([ast.Name(name, ast.Store())], value, lineno=_NO_LINE, col_offset=0)

    def _name(self, use: Use) -> str:
        """The name that a use has a tensor under; that of its memory where it has none."""
        if use.layout is None or not _is_view(use):
            return use.memory.name
        return self._named.get((use.memory.name, use.layout), use.memory.name)

    def visit_Use(self, use: Use) -> ast.expr:
        """What stands where a memory is read."""
        name = self._name(use)
        is_view = _is_view(use) and name == use.memory.name
        if use.layout is not None and (is_view or self._is_returned(name, use.by)):
            return _view(use.memory, use.layout)
        return ast.Name(name, ast.Load())

    def _is_returned(self, name: str, by: str) -> bool:
        """Whether the same tensor is returned in another place, where it has another name.

        What was returned as two tensors stays two, though they are of the same memory.
        """
        if self._returned is None:
            return False
        if name not in self._returned:
            self._returned[name] = by
            return False
        return not by or self._returned[name] != by


def _is_view(use: Use) -> bool:
    """Whether a use wants more than its memory by the name of that."""
    if use.layout is None:
        return False
    return use.layout.offset != "0" if use.is_address else use.layout != use.memory.layout


def _view(memory: Memory, layout: Layout) -> ast.Call:
    arguments = [ast.Name(memory.name, ast.Load()), *map(_expression, layout)]
    return ast.Call(ast.Name("reinterpret_tensor", ast.Load()), arguments, [])


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _with_deletions(statements: Sequence[ast.stmt], names: Set[str]) -> Iterator[ast.stmt]:
    """Each name deleted behind the last statement that has it, unless that returns."""
    last: dict[str, ast.stmt] = {}
    for statement in statements:
        found = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        last |= dict.fromkeys(sorted(found & names), statement)
    for statement in statements:
        yield statement
        gone = [name for name, at in last.items() if at is statement]
        if gone and not isinstance(statement, ast.Return):
            targets: list[ast.expr] = [ast.Name(name, ast.Del()) for name in gone]
            yield ast.Delete(targets, lineno=_NO_LINE, col_offset=0)
