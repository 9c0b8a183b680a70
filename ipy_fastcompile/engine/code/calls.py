"""node of an FX graph -> the Python expression that computes it.

Ops are called as ``torch.ops.namespace.name.overload(...)``, or by torch's own binding where that
is as good and quicker; arithmetic on sizes is Python's own.
What is neither is refused with the node's name and the user's line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from torch.fx import Node

from ...errors import CodegenError
from ...torch_compat import ops
from .sources import place, read_source

Write = Callable[[Any], str]

_BINARY = {
    "add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/", "pow": "**",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
    "and_": "&", "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}  # fmt: skip
_UNARY = {"neg": "-", "pos": "+", "not_": "not ", "inv": "~", "invert": "~"}
# Functions of numbers, by what they are called where torch.export puts them.
_FUNCTIONS = {
    "sym_max": "max", "sym_min": "min", "sym_float": "float", "sym_int": "int", "sym_sum": "sum",
    "sym_sqrt": "math.sqrt", "abs": "abs", "round": "round", "max": "max", "min": "min",
    "pow": "pow", "int": "int", "float": "float", "bool": "bool", "sum": "sum",
}  # fmt: skip
_OF_MATH = frozenset(
    {"ceil", "floor", "trunc", "sqrt", "exp", "log", "log2", "pow", "sin", "cos", "tan", "sinh",
     "cosh", "tanh", "asin", "acos", "atan", "asinh"}
)  # fmt: skip
_WITHOUT_NAMES = frozenset({"torch", "math", "_operator", "operator", "builtins"})


def where(node: Node) -> str:
    """``Node mul_3 (modeling_llama.py:310 in forward)``, for errors."""
    source = read_source(node.meta.get("stack_trace"))
    return f"Node {node.name} ({place(source)})" if source else f"Node {node.name}"


def cannot_write(node: Node, what: str) -> CodegenError:
    """The error for a node that has no source text."""
    return CodegenError(
        f"{where(node)} {what}, which the execution code cannot write.",
        "Keep it inside a compiled submodule by changing split_at.",
        node=node.name,
    )


def op_name(target: Any) -> str | None:
    """``aten::add.Tensor`` for a registered op, else None; the default overload has no suffix."""
    if not (ops.is_op(target) or ops.is_op_packet(target)):
        return None
    name, overload = ops.op_and_overload(target)
    return name if overload in ("", "default") else f"{name}.{overload}"


def write_call(node: Node, write: Write) -> str:
    """The expression of a ``call_function`` node; ``write`` gives the text of its arguments.

    Raises `CodegenError` naming the node when it is no op and no arithmetic.
    """
    if node.op != "call_function":
        raise cannot_write(node, f"is a {node.op} of {node.target}")
    function = ops.builtin_of(node.target) or _op_path(node)
    if function is None:
        if getattr(node.target, "__module__", "") in _WITHOUT_NAMES and not node.kwargs:
            text = _write_arithmetic(node, write)
            if text:
                return text
        raise cannot_write(node, f"calls {_called(node.target)}")
    arguments = [write(value) for value in node.args]
    arguments += [_write_keyword(key, write(value)) for key, value in node.kwargs.items()]
    return f"{function}({', '.join(arguments)})"


def _called(target: Any) -> str:
    name = getattr(target, "__name__", None) or getattr(target, "_name", None) or target
    module = getattr(target, "__module__", "") or ""
    return f"{module}.{name}".removeprefix(".") if isinstance(name, str) else str(target)


def _op_path(node: Node) -> str | None:
    if op_name(node.target) is None:
        return None
    qualified, overload = ops.op_and_overload(node.target)
    namespace, _, name = qualified.partition("::")
    parts = [namespace, name, overload] if overload else [namespace, name]
    if not all(re.fullmatch(r"[A-Za-z_][0-9A-Za-z_]*", p) and not iskeyword(p) for p in parts):
        raise cannot_write(node, f"calls {qualified}, whose name is no attribute in Python")
    return ".".join(["torch.ops", *parts])


def _write_keyword(key: str, text: str) -> str:
    """``key=text``; a schema may name a parameter by a Python keyword, ``from`` for instance."""
    return f'**{{"{key}": {text}}}' if iskeyword(key) else f"{key}={text}"


def _write_arithmetic(node: Node, write: Write) -> str:
    """Arithmetic on sizes and items of tuples; empty for anything else."""
    name = getattr(node.target, "__name__", "")
    module = getattr(node.target, "__module__", "")
    arguments = node.args
    if module in ("_operator", "operator"):
        if name == "getitem" and len(arguments) == 2:
            return f"{write(arguments[0])}[{write(arguments[1])}]"
        if name in _BINARY and len(arguments) == 2:
            left, right = (_operand(a, write) for a in arguments)
            return f"{left} {_BINARY[name]} {right}"
        if name in _UNARY and len(arguments) == 1:
            return f"{_UNARY[name]}{_operand(arguments[0], write)}"
    if name == "sym_not" and len(arguments) == 1:
        return f"not {_operand(arguments[0], write)}"
    if name == "sym_ite" and len(arguments) == 3:
        test, yes, no = (_operand(a, write) for a in arguments)
        return f"{yes} if {test} else {no}"
    if module == "math" or name.startswith("_sym_"):
        word = name.removeprefix("_sym_")
        function = f"math.{word}" if word in _OF_MATH and hasattr(math, word) else ""
    else:
        function = _FUNCTIONS.get(name, "")
    return f"{function}({', '.join(map(write, arguments))})" if function else ""


def _operand(value: Any, write: Write) -> str:
    """An operand: a minus sign would bind to less than the literal."""
    text = write(value)
    return f"({text})" if text.startswith("-") else text
