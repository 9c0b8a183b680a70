"""kernel's syntax tree -> its text, each line that runs something followed by the user's line.

A comment is all it takes: whoever sees the generated line, in a traceback, a debugger or a file,
sees where it came from.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ...records import Source
from .sources import comment


def annotate(function: ast.FunctionDef, sources: Mapping[int, Sequence[Source]]) -> str:
    """The text of a function whose statements know their lines in Inductor's output code.

    Parameters
    ----------
    sources:
        Line of the output code, from 1 -> lines of the user's model; see `sources.kernel_lines`.
    """
    lines = ast.unparse(function).splitlines()
    written = ast.parse("\n".join(lines)).body[0]
    for old, new in zip(_statements(function), _statements(written), strict=True):
        if old.lineno in sources and new.end_lineno is not None:
            lines[new.end_lineno - 1] += comment(sources[old.lineno])
    return "\n".join(lines) + "\n"


def _statements(function: ast.stmt) -> list[ast.stmt]:
    """Simple statements, in the order of the text; a branch or guard is not one itself."""
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
