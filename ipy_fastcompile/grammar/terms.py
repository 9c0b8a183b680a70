"""What the two grammars of generated text share: names, ops, literals and calls."""

from __future__ import annotations

import ast
import builtins
import keyword
import re

# Attributes of torch.ops that are no namespaces of ops: they load libraries and modules.
NO_NAMESPACE = frozenset({"load_library", "loaded_libraries", "import_module", "higher_order"})
# Ops that open a file by name.
REFUSED_OPS = frozenset({"aten.from_file"})
_OPERATOR_OP = re.compile(r"__i?(and|or|xor|lshift|rshift)__")
_LITERALS = (int, float, complex, str, bytes, bool, type(None), type(...))


class Refused(Exception):
    """Something that no generator writes; ``line`` counts from 1."""

    def __init__(self, node: ast.AST, what: str = "") -> None:
        self.line: int = getattr(node, "lineno", 0)
        self.what = what or type(node).__name__
        super().__init__(self.what)


def is_operator_op(word: str) -> bool:
    """Whether a dunder is the name of an op: ``aten::__and__``."""
    return bool(_OPERATOR_OP.fullmatch(word))


def dotted(node: ast.AST) -> list[str]:
    """``["torch", "ops", "aten"]`` for a chain of attributes on a name, empty for all else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def check_op(node: ast.AST, path: list[str]) -> None:
    """``torch.ops.namespace.name`` and ``torch.ops.namespace.name.overload``, nothing beyond."""
    named = ".".join(path)
    if not 4 <= len(path) <= 5 or path[:2] != ["torch", "ops"]:
        raise Refused(node, named)
    if path[2] in NO_NAMESPACE or f"{path[2]}.{path[3]}" in REFUSED_OPS:
        raise Refused(node, named)
    for position, part in enumerate(path[2:]):
        if part.startswith("__") and not (position == 1 and is_operator_op(part)):
            raise Refused(node, named)


def check_literal(node: ast.Constant) -> None:
    """A number, string, bytes, None, True, False or Ellipsis."""
    if type(node.value) not in _LITERALS or node.kind:
        raise Refused(node, f"the literal {node.value!r:.40}")


def check_plain_name(node: ast.AST, name: str) -> None:
    """A name that generated text may bind: no keyword, no dunder, nothing it reads elsewhere."""
    hidden = name.startswith("__") or keyword.iskeyword(name) or not name.isascii()
    if hidden or name in _TAKEN:
        raise Refused(node, f"the name {name}")


_TAKEN = frozenset({"torch", "math", *dir(builtins)})


def argument_names(function: ast.FunctionDef) -> list[str]:
    """The arguments of a function, which has neither defaults nor decorators nor annotations."""
    arguments = function.args
    if function.decorator_list or function.returns is not None or _type_parameters(function):
        raise Refused(function, "a decorator or annotation")
    if (
        arguments.posonlyargs
        or arguments.kwonlyargs
        or arguments.vararg
        or arguments.kwarg
        or arguments.defaults
        or any(a.annotation for a in arguments.args)
    ):
        raise Refused(function, "a default, a variable argument or an annotation")
    for argument in arguments.args:
        check_plain_name(argument, argument.arg)
    return [a.arg for a in arguments.args]


def _type_parameters(function: ast.FunctionDef) -> bool:
    return bool(getattr(function, "type_params", None))  # Python 3.12 and newer


def target_names(node: ast.expr) -> list[str]:
    """The names that an assignment binds: one, or a flat tuple of them."""
    targets = node.elts if isinstance(node, ast.Tuple) else [node]
    names = []
    for target in targets:
        if not isinstance(target, ast.Name):
            raise Refused(target, "an assignment to anything but names")
        check_plain_name(target, target.id)
        names.append(target.id)
    return names


def is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a string standing alone."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
