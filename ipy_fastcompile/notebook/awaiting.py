"""Lines of a cell -> the same, where a magic whose code awaits is awaited itself.

A magic is called like any function, within the loop that runs the cell, so that it can only hand
out a coroutine. IPython looks for ``await`` in the text of a cell, and finds it here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from .arguments import split_line
from .options import COMPILE_OPTIONS
from .scope import does_await

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "fastcompile"


def await_magics(shell: InteractiveShell) -> Callable[[list[str]], list[str]]:
    """What ``shell.input_transformers_post`` takes: it sees calls where the cell has magics."""

    def transform(lines: list[str]) -> list[str]:
        text = "".join(lines)
        if not shell.autoawait or MAGIC not in text or not ("await" in text or "async" in text):
            return lines
        try:
            tree = ast.parse(text)
        except SyntaxError:  # said where the cell is run
            return lines
        # In bytes, as syntax trees count columns; from the end, so that places stay where they are.
        data = text.encode()
        starts = [0]
        for line in data.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for call in sorted(_calls_to_await(shell, tree), key=lambda c: -starts[c.lineno - 1]):
            assert call.end_lineno is not None
            assert call.end_col_offset is not None
            begin = starts[call.lineno - 1] + call.col_offset
            end = starts[call.end_lineno - 1] + call.end_col_offset
            data = b"%s(await %s)%s" % (data[:begin], data[begin:end], data[end:])
        return data.decode().splitlines(keepends=True)

    return transform


def _calls_to_await(shell: InteractiveShell, tree: ast.Module) -> list[ast.Call]:
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and id(node) not in awaited
        and _code_awaits(shell, _code_of(node))
    ]


def _code_of(call: ast.Call) -> str:
    """The code that our magic is given, if this is a call of it; else an empty text."""
    if not isinstance(call.func, ast.Attribute) or call.keywords:
        return ""
    words = [a.value for a in call.args if isinstance(a, ast.Constant) and type(a.value) is str]
    if len(words) != len(call.args) or words[:1] != [MAGIC]:
        return ""
    if call.func.attr == "run_cell_magic" and len(words) == 3:
        return words[2]
    if call.func.attr == "run_line_magic" and len(words) == 2:
        try:
            return split_line(words[1], COMPILE_OPTIONS, MAGIC)[1]
        except UsageError:  # said by the magic
            return ""
    return ""


def _code_awaits(shell: InteractiveShell, code: str) -> bool:
    if not ("await" in code or "async" in code):
        return False
    try:
        return does_await(ast.parse(shell.transform_cell(code)).body)
    except SyntaxError:  # said by the magic
        return False
