"""a function's text -> whether it looks things up under names that it makes up while it runs."""

from __future__ import annotations

import ast
import textwrap

from .code import Mentions
from .words import word_set

_ATTRIBUTE_LOOKUPS = word_set("getattr hasattr setattr")
_LOOKUPS = word_set("getattr hasattr vars dir globals __dict__ attrgetter methodcaller")


def makes_up_names(mentions: Mentions, source: str) -> bool:
    """Whether code looks things up under names that it makes up while it runs.

    ``getattr(x, "name")`` does not, and whoever wrote the text of that is taken at his word.
    """
    if not _LOOKUPS.intersection(mentions.names):
        return False
    _, _, text = source.partition("\n")
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return True
    looked_up = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    constant = {
        id(call.func)
        for call in looked_up
        if isinstance(call.func, ast.Name)
        and call.func.id in _ATTRIBUTE_LOOKUPS
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
    }
    names = [node for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.Attribute))]
    return not names or any(
        id(node) not in constant
        for node in names
        if (node.id if isinstance(node, ast.Name) else node.attr) in _LOOKUPS
    )
