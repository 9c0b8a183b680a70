"""statement of Inductor's output code -> the same in the words of the kernels' grammar.

Inductor checks sizes that depend on data by ``raise`` and ``assert``. Kernels say what does not
hold to a function of the runtime, which raises this package's own error.
"""

from __future__ import annotations

import ast


def plain_statement(statement: ast.stmt) -> list[ast.stmt]:
    """The statements that stand for one of the output code, branches and loops included."""
    if isinstance(statement, ast.Raise):
        return [_refuse(_message(statement.exc), statement)]
    if isinstance(statement, ast.Assert):
        doubt = ast.UnaryOp(ast.Not(), statement.test)
        said = _message(statement.msg) if statement.msg else ast.unparse(statement.test)
        branch = ast.If(doubt, [_refuse(said, statement)], [])
        return [ast.fix_missing_locations(ast.copy_location(branch, statement))]
    for field in ("body", "orelse"):
        inner = getattr(statement, field, None)
        if isinstance(inner, list):
            setattr(statement, field, [made for part in inner for made in plain_statement(part)])
    return [statement]


def _message(node: ast.expr | None) -> str:
    """What an error would say: of ``RuntimeError('...')`` the text, of all else its source."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(value) for value in node.values)
    return "" if node is None else ast.unparse(node)


def _piece(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node.value)  # type: ignore[attr-defined]


def _refuse(message: str, at: ast.stmt) -> ast.stmt:
    call = ast.Call(ast.Name("refuse_size", ast.Load()), [ast.Constant(message)], [])
    return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), at))
