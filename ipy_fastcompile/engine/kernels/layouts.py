"""sizes and strides as source text -> whether two layouts take the same bytes, at every size."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence

import sympy

from .memories import Layout


def same_bytes(one: Layout, other: Layout) -> bool:
    """Whether one can take the place of the other, which is allocated; False when in doubt."""
    if one.offset != "0" or other.offset != "0":
        return False
    found = [_numbers(layout) for layout in (one, other)]
    if None in found:
        return False
    if not _names(one) <= _names(other):
        return False  # it may be written with a size that is known only later
    totals = [(math.prod(sizes), _span(sizes, strides)) for sizes, strides in found]  # type: ignore[misc]
    return all(sympy.expand(a - b) == 0 for a, b in zip(*totals, strict=True))


def is_contiguous(layout: Layout) -> bool:
    """Whether strides are the products of the sizes behind them, dimension by dimension."""
    numbers = _numbers(layout)
    if layout.offset != "0" or numbers is None:
        return False
    sizes, strides = numbers
    return all(
        sympy.expand(stride - math.prod(sizes[n + 1 :])) == 0 for n, stride in enumerate(strides)
    )


def _span(sizes: Sequence[sympy.Expr], strides: Sequence[sympy.Expr]) -> sympy.Expr:
    """How many elements there are from the first to the last in memory."""
    return 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))


def _names(layout: Layout) -> set[str]:
    return {
        n.id
        for n in ast.walk(ast.parse(f"{layout.size}, {layout.stride}"))
        if isinstance(n, ast.Name)
    }


def _numbers(layout: Layout) -> tuple[list[sympy.Expr], list[sympy.Expr]] | None:
    try:
        sizes, strides = (_tuple(text) for text in (layout.size, layout.stride))
    except ValueError:
        return None
    return (sizes, strides) if len(sizes) == len(strides) else None


def _tuple(text: str) -> list[sympy.Expr]:
    node = ast.parse(text, mode="eval").body
    return list(map(_number, node.elts if isinstance(node, ast.Tuple) else [node]))


def _number(node: ast.expr) -> sympy.Expr:
    """Sums and products of names and whole numbers; raises ValueError for all else."""
    if isinstance(node, ast.Name):
        return sympy.Symbol(node.id, integer=True)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return sympy.Integer(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        left, right = _number(node.left), _number(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        return left - right if isinstance(node.op, ast.Sub) else left * right
    raise ValueError(ast.unparse(node))
