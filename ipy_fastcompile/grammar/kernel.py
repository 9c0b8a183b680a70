"""The grammar of kernels: what is left of Inductor's output code on the native path.

Wider than that of execution code: a kernel may branch, loop over a range or while a value is true,
guard a device, call what the runtime gives it by name, read the sizes of tensors, and fill the
lists that carry a loop's values. It defines functions and nothing else, and reaches no attribute
but those listed here.
"""

from __future__ import annotations

import ast
import builtins
import re

from .terms import (
    Refused,
    argument_names,
    check_literal,
    check_op,
    check_plain_name,
    dotted,
)
from .words import BUILTINS, MATH, is_torch_value

# Functions of torch that Inductor calls for work it does not do itself.
TORCH_FUNCTIONS = frozenset(
    {"device", "mm", "bmm", "addmm", "baddbmm", "convolution", "empty_strided", "cuda",
    "set_device", "sym_sqrt", "_int_mm", "_scaled_mm"}
)  # fmt: skip
# Attributes of tensors that are read, methods that copy, and the one that empties a list.
METHODS = frozenset(
    {"size", "stride", "item", "is_contiguous", "data_ptr", "storage_offset", "numel", "dim",
    "copy_", "clone", "clear", "shape", "dtype", "device"}
)  # fmt: skip
_FUNCTION = re.compile(r"kernel_[0-9]+|subgraph_[0-9]+|launch")
_STATEMENTS = (
    ast.Assign, ast.AugAssign, ast.Delete, ast.Return, ast.Expr, ast.With, ast.If, ast.For,
    ast.While, ast.Assert, ast.Pass,
)  # fmt: skip
_EXPRESSIONS = (
    ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Dict,
    ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp,
    ast.withitem, ast.Load, ast.Store, ast.Del, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip
_NO_BUILTINS = frozenset(dir(builtins)) - BUILTINS


def check_module(tree: ast.Module) -> None:
    """Raise Refused at the first node that no kernel has."""
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or not _FUNCTION.fullmatch(function.name):
            raise Refused(function)
        argument_names(function)
        carried = _carried(function)
        for statement in function.body:
            _check(statement, carried)


def _carried(function: ast.FunctionDef) -> frozenset[str]:
    """The lists of a loop's values, ``buf1 = [None] * 2``: what may be filled place by place."""
    names: set[str] = set()
    for node in ast.walk(function):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp)):
            continue
        left = node.value.left
        if isinstance(left, ast.List) and [ast.unparse(e) for e in left.elts] == ["None"]:
            names.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return frozenset(names)


def _check(node: ast.AST, carried: frozenset[str]) -> None:
    if not isinstance(node, _STATEMENTS + _EXPRESSIONS):
        raise Refused(node)
    if isinstance(node, ast.Attribute) and dotted(node):
        _check_path(node, dotted(node))
        return
    if isinstance(node, ast.stmt):
        _check_statement(node, carried)
    else:
        _check_expression(node)
    for child in ast.iter_child_nodes(node):
        _check(child, carried)


def _check_statement(node: ast.stmt, carried: frozenset[str]) -> None:
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        for target in targets:
            items = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
            if not all(isinstance(item, ast.Name) or _is_place(item, carried) for item in items):
                raise Refused(node, "an assignment to anything but names")
    elif isinstance(node, ast.For):
        is_range = isinstance(node.iter, ast.Call) and dotted(node.iter.func) == ["range"]
        if not is_range or not isinstance(node.target, ast.Name):
            raise Refused(node, "a loop over anything but a range")
    elif isinstance(node, ast.While):
        if dotted(node.test) != ["should_loop"] or node.orelse:
            raise Refused(node, "a loop that no condition of the model ends")
    elif isinstance(node, ast.With):
        for item in node.items:
            call = item.context_expr
            if not isinstance(call, ast.Call) or dotted(call.func) != ["device_guard"]:
                raise Refused(node, "a with that guards no device")
    elif isinstance(node, ast.Expr) and not isinstance(node.value, (ast.Call, ast.Constant)):
        raise Refused(node, "a statement that does nothing")


def _is_place(node: ast.expr, carried: frozenset[str]) -> bool:
    """Whether an assignment fills a place of a loop's list, ``buf1[0]``."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in carried
        and isinstance(node.slice, ast.Constant)
        and type(node.slice.value) is int
    )


def _check_expression(node: ast.AST) -> None:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, (ast.Store, ast.Del)):
            check_plain_name(node, node.id)
        if _is_hidden(node.id):
            raise Refused(node, f"the name {node.id}")
    elif isinstance(node, ast.Constant):
        check_literal(node)
    elif isinstance(node, ast.Attribute):  # of something computed: `f(x).size`
        if node.attr not in METHODS:
            raise Refused(node, f"the attribute {node.attr}")
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, (ast.Name, ast.Attribute)):
            raise Refused(node, "a call of a computed function")


def _is_hidden(name: str) -> bool:
    return name.startswith("__") or name in _NO_BUILTINS or not name.isascii()


def _check_path(node: ast.Attribute, path: list[str]) -> None:
    if path[:2] == ["torch", "ops"]:
        check_op(node, path)
    elif path[0] == "torch":
        if not all(part in TORCH_FUNCTIONS or is_torch_value(part) for part in path[1:]):
            raise Refused(node, ".".join(path))
    elif path[0] == "math":
        if len(path) != 2 or path[1] not in MATH:
            raise Refused(node, ".".join(path))
    elif len(path) != 2 or path[1] not in METHODS or _is_hidden(path[0]):
        raise Refused(node, f"the attribute {'.'.join(path)}")
