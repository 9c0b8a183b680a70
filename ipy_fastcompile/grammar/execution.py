"""The grammar of execution code, as strict as its generator, `engine.code.codegen`.

::

    module    = STRING? ("import math")? "import torch" function*
    function  = "def check_inputs(check, NAME...):" STRING? check* return
              | "def inlined_N(NAME...):" statement* return
              | "def bind(kernels, parameters, constants):" STRING? unpack* forward "return forward"
    unpack    = targets "=" ("kernels" | "parameters" | "constants")
    forward   = "def forward(NAME...):" statement* return
    check     = "check.METHOD(" value... ")" | NAME "=" (value | "check.METHOD(" value... ")")
    statement = targets "=" value | call | "del" NAME... | loop | autocast
    loop      = "while" call ":" statement*
    autocast  = "with torch.autocast(" value... "):" statement*
    call      = (op | "inlined_N" | kernel) "(" value... ")"
    op        = "torch.ops.NAMESPACE.OP.OVERLOAD" | a function of OP_FUNCTIONS
    value     = NAME | LITERAL | container | call | value "[" value "]" | NAME ".size(" value ")"
              | arithmetic | value "if" value "else" value
              | "torch.DTYPE" | "torch.device(" STRING ")" | ("math.F" | BUILTIN) "(" value... ")"

A name can be read only after it was bound in the same function; ``forward`` also sees what ``bind``
unpacked. ``kernel`` is a name that ``bind`` unpacked from ``kernels``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from .terms import (
    Refused,
    argument_names,
    check_literal,
    check_op,
    check_plain_name,
    dotted,
    is_docstring,
    target_names,
)
from .words import BUILTINS, MATH, OP_FUNCTIONS, is_torch_value

# Methods of `ipy_fastcompile.runtime.checks.Checks`.
CHECKS = frozenset(
    {"constant", "tensor", "number", "size", "solve", "range", "condition", "laid_out", "layout",
     "separate"}
)  # fmt: skip
_INLINED = re.compile(r"inlined_[0-9]+")
_BOUND = ("kernels", "parameters", "constants")
_BINARY = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr,
    ast.BitXor, ast.LShift, ast.RShift,
)  # fmt: skip
_UNARY = (ast.USub, ast.UAdd, ast.Not, ast.Invert)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


def check_module(tree: ast.Module) -> None:
    """Raise Refused at the first node that the generator never writes."""
    body = tree.body[1:] if tree.body and is_docstring(tree.body[0]) else tree.body
    functions: set[str] = set()
    for position, node in enumerate(body):
        if isinstance(node, ast.Import):
            names = [(a.name, a.asname) for a in node.names]
            if position > 1 or names not in ([("torch", None)], [("math", None)]):
                raise Refused(node)
        elif isinstance(node, ast.FunctionDef):
            if node.name in functions:
                raise Refused(node, f"a second {node.name}")
            _check_function(node, functions)
            functions.add(node.name)
        else:
            raise Refused(node)
    if not {"check_inputs", "bind"} <= functions:
        raise Refused(tree, "a text without check_inputs or bind")


def _check_function(node: ast.FunctionDef, functions: set[str]) -> None:
    arguments = argument_names(node)
    body = node.body[1:] if is_docstring(node.body[0]) else node.body
    if node.name == "check_inputs":
        if arguments[:1] != ["check"]:
            raise Refused(node, "check_inputs without check")
        _Scope(arguments[1:], set(), checks=True).body(body)
    elif _INLINED.fullmatch(node.name):
        _Scope(arguments, functions).body(body)
    elif node.name == "bind" and arguments == list(_BOUND):
        _check_bind(node, body, functions)
    else:
        raise Refused(node, f"the function {node.name}")


def _check_bind(node: ast.FunctionDef, body: Sequence[ast.stmt], functions: set[str]) -> None:
    bound: dict[str, list[str]] = {}
    for statement in body[:-2]:
        source = statement.value if isinstance(statement, ast.Assign) else None
        if not (
            isinstance(statement, ast.Assign)
            and isinstance(source, ast.Name)
            and source.id in _BOUND
            and source.id not in bound
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Tuple)
        ):
            raise Refused(statement, "a statement in bind that is no unpacking")
        bound[source.id] = target_names(statement.targets[0])
    forward, last = body[-2:] if len(body) > 1 else (node, node)
    if not (isinstance(forward, ast.FunctionDef) and forward.name == "forward"):
        raise Refused(forward, "bind without forward")
    if not (isinstance(last, ast.Return) and dotted(last.value or last) == ["forward"]):
        raise Refused(last, "bind that returns anything but forward")
    names = argument_names(forward)
    names += [*bound.get("parameters", ()), *bound.get("constants", ())]
    scope = _Scope(names, functions | set(bound.get("kernels", ())))
    scope.body(forward.body[1:] if is_docstring(forward.body[0]) else forward.body)


class _Scope:
    """The names that a function has bound so far, and what it may call."""

    def __init__(self, names: Sequence[str], callees: set[str], *, checks: bool = False) -> None:
        self.names = set(names)
        self.callees = callees
        self.checks = checks

    def body(self, statements: Sequence[ast.stmt], *, nested: bool = False) -> None:
        for position, node in enumerate(statements):
            if isinstance(node, ast.Return) and not nested and position == len(statements) - 1:
                self.value(node.value if node.value is not None else node)
                return
            self.statement(node)
        if not nested:
            raise Refused(statements[-1], "a function without return")

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and not node.type_comment:
            self.assigned(node.value)
            names = target_names(node.targets[0])
            for name in names:
                if name in self.callees or name in ("check", "mark"):
                    raise Refused(node, f"the name {name}")
            self.names.update(names)
        elif isinstance(node, ast.Expr):
            if not isinstance(node.value, ast.Call):
                raise Refused(node, "a statement that does nothing")
            self.standalone(node.value)
        elif isinstance(node, ast.Delete) and not self.checks:
            for target in node.targets:
                if not isinstance(target, ast.Name) or target.id not in self.names:
                    raise Refused(target, "del of anything but a value")
                self.names.discard(target.id)
        elif isinstance(node, ast.While) and not self.checks and not node.orelse:
            self.called(node.test)
            self.body(node.body, nested=True)
        elif isinstance(node, ast.With) and not self.checks and len(node.items) == 1:
            self.autocast(node.items[0])
            self.body(node.body, nested=True)
        else:
            raise Refused(node)

    def autocast(self, item: ast.withitem) -> None:
        call = item.context_expr
        if (
            item.optional_vars
            or not isinstance(call, ast.Call)
            or dotted(call.func) != ["torch", "autocast"]
        ):
            raise Refused(item.context_expr, "a with that is no torch.autocast")
        self.arguments(call)

    def assigned(self, node: ast.expr) -> None:
        is_call = isinstance(node, ast.Call)
        if self.checks and is_call and dotted(node.func)[:1] == ["check"]:  # type: ignore[attr-defined]
            self.check(node)  # type: ignore[arg-type]
        else:
            self.value(node)

    def standalone(self, call: ast.Call) -> None:
        name = dotted(call.func)
        if self.checks and name[:1] == ["check"]:
            self.check(call)
        else:
            self.called(call)

    def check(self, call: ast.Call) -> None:
        name = dotted(call.func)
        if len(name) != 2 or name[1] not in CHECKS or call.keywords:
            raise Refused(call, ".".join(name))
        self.arguments(call)

    # --- values ----------------------------------------------------------------------------------

    def called(self, node: ast.expr) -> None:
        """A call of an op, of an inlined function or of a kernel."""
        name = dotted(node.func) if isinstance(node, ast.Call) else []
        if not isinstance(node, ast.Call) or not name:
            raise Refused(node, "a call of a computed function")
        if ".".join(name) in OP_FUNCTIONS and not self.checks:
            self.arguments(node)
        elif name[:2] == ["torch", "ops"] and not self.checks:
            check_op(node, name)
            self.arguments(node)
        elif len(name) == 1 and name[0] in self.callees and not node.keywords:
            self.arguments(node)
        else:
            raise Refused(node, f"a call of {'.'.join(name)}")

    def arguments(self, call: ast.Call) -> None:
        for argument in call.args:
            self.value(argument.value if isinstance(argument, ast.Starred) else argument)
        for word in call.keywords:
            if word.arg is None and not isinstance(word.value, ast.Dict):
                raise Refused(call, "keywords that are not written out")
            self.value(word.value)

    def value(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise Refused(node, f"the name {node.id}")
            check_plain_name(node, node.id)
        elif isinstance(node, ast.Constant):
            check_literal(node)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self.value(item)
        elif isinstance(node, ast.Dict):
            for key, item in zip(node.keys, node.values, strict=True):
                if key is None:
                    raise Refused(node, "a dict that unpacks another")
                self.value(key)
                self.value(item)
        elif isinstance(node, ast.Subscript):
            self.value(node.value)
            self.value(node.slice)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, _BINARY):
            self.value(node.left)
            self.value(node.right)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, _UNARY):
            self.value(node.operand)
        elif isinstance(node, ast.Compare) and all(isinstance(o, _COMPARISONS) for o in node.ops):
            for item in (node.left, *node.comparators):
                self.value(item)
        elif isinstance(node, ast.IfExp):
            for item in (node.test, node.body, node.orelse):
                self.value(item)
        elif isinstance(node, ast.Attribute):
            name = dotted(node)
            if len(name) != 2 or name[0] != "torch" or not is_torch_value(name[1]):
                raise Refused(node, f"the attribute {node.attr}")
        elif isinstance(node, ast.Call):
            self.call_value(node)
        else:
            raise Refused(node)

    def call_value(self, node: ast.Call) -> None:
        name = dotted(node.func)
        if name == ["torch", "device"]:
            is_text = len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
            if not is_text or not isinstance(node.args[0].value, str) or node.keywords:  # type: ignore[attr-defined]
                raise Refused(node, "a device that is no text")
        elif len(name) == 2 and name[0] in self.names and name[1] == "size":
            if len(node.args) != 1 or node.keywords:
                raise Refused(node, "size without a dimension")
            self.value(node.args[0])
        elif (len(name) == 2 and name[0] == "math" and name[1] in MATH) or (
            len(name) == 1 and name[0] in BUILTINS and name[0] not in self.names
        ):
            if node.keywords:
                raise Refused(node, f"a keyword of {name[-1]}")
            self.arguments(node)
        else:
            self.called(node)
