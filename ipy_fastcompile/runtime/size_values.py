"""size as text + values of the symbolic sizes -> its number: ``2*seq + 1``, ``Max(1, seq//2)``.

Nothing is run: the text is parsed, and only arithmetic on the known names is computed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InputError

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
# Python's names, and those that sympy and torch print.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "max": max,
    "Max": max,
    "min": min,
    "Min": min,
    "abs": abs,
    "Abs": abs,
    "Mod": operator.mod,
    "PythonMod": operator.mod,
    "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv,
    "ModularIndexing": lambda base, divisor, modulus: base // divisor % modulus,
}
_LARGEST_POWER = 8


def size_value(size: int | str, sizes: Mapping[str, int]) -> int:
    """The number that a size is at these sizes.

    Raises InputError for a text that is no arithmetic on sizes, or has none of these names.
    """

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.Name) and node.id in sizes:
            return sizes[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = value(node.left), value(node.right)
            if not isinstance(node.op, ast.Pow) or 0 <= right <= _LARGEST_POWER:
                return _OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id in _FUNCTIONS:
                return _FUNCTIONS[node.func.id](*map(value, node.args))
        raise InputError(
            f"No input can be made of the size {size!r}.", "Call the loaded function yourself."
        )

    if isinstance(size, int):
        return size
    try:
        return int(value(ast.parse(size, mode="eval").body))
    except (SyntaxError, ZeroDivisionError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"The size {size!r:.200} is none: {error}.", "Save it again.") from error
