"""generated text -> the same text, or a GrammarError: only what the generator writes gets through.

The check is an allow-list over the syntax tree. A second, cheaper one reads the names that a
stored code object refers to, for loads that do not compile the text again.
"""

from __future__ import annotations

import ast
import builtins
import re
import types
from collections.abc import Iterator

from ..errors import GrammarError

_STATEMENTS = (
    ast.FunctionDef, ast.Assign, ast.Delete, ast.Return, ast.Expr, ast.With, ast.withitem,
)  # fmt: skip
_EXPRESSIONS = (
    ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Dict,
    ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp,
    ast.Load, ast.Store, ast.Del, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
    ast.arguments, ast.arg,
)  # fmt: skip
# Statements that only kernels have, which come from Inductor's output code.
_KERNEL_STATEMENTS = (ast.If, ast.For, ast.Assert, ast.Pass, ast.AugAssign)

# Functions of torch that generated text may call, by name.
_TORCH = frozenset(
    """device ops float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64
    bool complex32 complex64 complex128 strided sparse_coo sparse_csr contiguous_format
    channels_last channels_last_3d preserve_format float8_e4m3fn float8_e5m2 float8_e4m3fnuz
    float8_e5m2fnuz float8_e8m0fnu jagged mm bmm addmm baddbmm convolution empty_strided cuda
    set_device sym_sqrt _int_mm _scaled_mm""".split()
)
_BUILTINS = frozenset(
    "complex float int bool slice max min abs range len round sum pow tuple list".split()
)
# Attributes of values: methods that read, and the ones Inductor's output code uses.
_METHODS = frozenset(
    """size stride item is_contiguous data_ptr storage_offset numel dim copy_ shape dtype device
    constant tensor range layout strides sqrt floor ceil trunc log2 isnan isinf pi e""".split()
)


def check_grammar(text: str, filename: str, *, kernel: bool = False) -> ast.Module:
    """Parse generated text and check every node of its syntax tree.

    Parameters
    ----------
    kernel:
        Whether the text is a kernel's output code, which may also branch and loop.

    Raises `GrammarError` naming the line that holds something the generator never writes.
    """
    try:
        tree = ast.parse(text, filename)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GrammarError(
            f"{filename} is not valid Python: {error}.", "Compile the model again."
        ) from error
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.Expr, ast.Import)):
            raise _refuse(filename, node)
    allowed = _STATEMENTS + _EXPRESSIONS + (_KERNEL_STATEMENTS if kernel else ())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.Import, ast.alias)):
            if isinstance(node, ast.Import) and [a.name for a in node.names] != ["torch"]:
                raise _refuse(filename, node)
        elif not isinstance(node, allowed):
            raise _refuse(filename, node)
        else:
            _check_node(filename, node)
    return tree


def _refuse(filename: str, node: ast.AST, what: str = "") -> GrammarError:
    line = getattr(node, "lineno", 0)
    return GrammarError(
        f"{filename}, line {line}: {what or type(node).__name__} is never generated.",
        "The text was edited; compile the model again.",
        line=line,
    )


def _check_node(filename: str, node: ast.AST) -> None:
    if isinstance(node, ast.Expr) and not isinstance(node.value, (ast.Call, ast.Constant)):
        raise _refuse(filename, node)
    if isinstance(node, ast.FunctionDef) and (node.decorator_list or node.returns):
        raise _refuse(filename, node, "a decorator or annotation")
    if isinstance(node, ast.arguments) and (
        node.defaults or node.kw_defaults or node.vararg or node.kwarg or node.kwonlyargs
    ):
        raise _refuse(filename, node, "a default or variable argument")
    if isinstance(node, ast.Name) and node.id.startswith("__"):
        raise _refuse(filename, node, f"the name {node.id}")
    if isinstance(node, ast.Attribute):
        _check_attribute(filename, node)
    if isinstance(node, ast.Call):
        _check_call(filename, node)


def _dotted(node: ast.AST) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _check_attribute(filename: str, node: ast.Attribute) -> None:
    dotted = _dotted(node)
    if dotted[:2] == ["torch", "ops"]:
        if any(part.startswith("__") and not part.endswith("__") for part in dotted):
            raise _refuse(filename, node, ".".join(dotted))
        return  # an op: looking it up runs no code of the artifact
    if dotted and dotted[0] == "torch":
        if not all(part in _TORCH for part in dotted[1:]):
            raise _refuse(filename, node, ".".join(dotted))
        return
    if node.attr not in _METHODS:
        raise _refuse(filename, node, f"the attribute {node.attr}")


def _check_call(filename: str, node: ast.Call) -> None:
    if not isinstance(node.func, (ast.Name, ast.Attribute)):
        raise _refuse(filename, node, "a call of a computed function")
    if isinstance(node.func, ast.Name) and node.func.id in _REFUSED_CALLS:
        raise _refuse(filename, node, f"a call of {node.func.id}")


_REFUSED_CALLS = frozenset(dir(builtins)) - _BUILTINS


# --- stored code objects -------------------------------------------------------------------------


def referred_names(code: types.CodeType) -> Iterator[str]:
    """Every global and attribute name that a code object and those inside it refer to."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from referred_names(constant)


def check_code_names(code: types.CodeType, known: frozenset[str], filename: str) -> None:
    """Refuse a stored code object that refers to a name its text cannot have.

    ``known`` are the names that the manifest says its text uses. Builtins that reach outside the
    generated code (``open``, ``getattr``, ``__import__``) are refused whatever the manifest says.
    """
    for name in referred_names(code):
        if _INLINED.fullmatch(name):
            continue
        if name not in known or (name in _REFUSED_CALLS and name not in _OP_LIKE):
            raise GrammarError(
                f"The stored code of {filename} refers to {name!r}, which its text does not.",
                "Compile the model again.",
                name=name,
            )


_INLINED = re.compile(r"inlined_[0-9]+")
# Op names that are builtins as well (torch.ops.aten.all, aten.sum, ...), and a docstring.
_OP_LIKE = frozenset("__doc__ all any abs max min pow sum round slice bytes complex float int bool".split())

# Words of the generator and of the runtime that texts refer to as globals or attributes.
_OWN_WORDS = frozenset(
    """__doc__ torch ops default check_inputs bind constant tensor size range layout launch launch_kernel function
    assert_size_stride assert_alignment empty_strided_cpu empty_strided_cpu_pinned
    empty_strided_cuda reinterpret_tensor get_raw_stream aligned device_guard device math inf nan
    nanj len round pow""".split()
)


def generated_names(model_names: frozenset[str]) -> frozenset[str]:
    """The names that stored code may refer to: the generator's, torch's, and the model's own."""
    return _TORCH | _BUILTINS | _METHODS | _OWN_WORDS | model_names
