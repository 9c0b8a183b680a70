"""syntax tree of Inductor's output code -> the same in public names, or Refused with the reason."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any

import torch

from ...grammar.kernel import TORCH_FUNCTIONS
from ...torch_compat import binaries, ops

# Names of the output code that the runtime provides; `output_code.output_code_functions`.
_RUNTIME_FUNCTIONS = frozenset(
    {
        "assert_size_stride",
        "assert_size_stride_grouped",
        "assert_tensor_metadata",
        "assert_alignment",
        "empty_strided_cpu",
        "empty_strided_cpu_pinned",
        "empty_strided_cuda",
        "reinterpret_tensor",
        "get_raw_stream",
        "aligned",
        "copy_if_misaligned",
        "refuse_size",
    }
)
# Names that stand for themselves.
_PLAIN_NAMES = frozenset(
    {"torch", "math", "inf", "nan", "nanj", "device", "int", "float", "bool", "max", "min", "abs",
     "len", "range", "tuple", "list", "round", "sum", "pow", "slice"}
)  # fmt: skip
_INDUCTOR_OPS = frozenset(
    {"_mm_plus_mm", "_alloc_from_pool", "_reinterpret_tensor", "resize_storage_bytes_"}
)
# Inductor's own helpers that stand for a public op: the same product, laid out for its inputs.
_EXTERN_TWINS = {"bias_addmm": "torch.addmm"}
# Functions that torch has for symbolic sizes; sizes are plain numbers when a kernel runs.
_OF_NUMBERS = {
    "torch.sym_float": "float", "torch.sym_int": "int", "torch.sym_max": "max",
    "torch.sym_min": "min", "torch.sym_sqrt": "math.sqrt", "torch._sym_sqrt": "math.sqrt",
}  # fmt: skip
_NAMESPACE_ALIASES = {
    "aten": "torch.ops.aten",
    "inductor_ops": "torch.ops.inductor",
    "_quantized": "torch.ops._quantized",
}


class Refused(Exception):
    """The output code has something that the native path does not do."""


class Rewriter(ast.NodeTransformer):
    """Replaces what belongs to Inductor by public names; collects the ops that are called."""

    def __init__(self, kernels: set[str], subgraphs: Mapping[str, str]) -> None:
        self.ops: set[str] = set()
        self._kernels = kernels
        self._subgraphs = subgraphs

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """The function of a branch or loop goes by its new name."""
        node.id = self._subgraphs.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """What a chain of names stands for in public. Raises Refused where it has no such name."""
        dotted = _dotted(node)
        root, _, rest = dotted.partition(".")
        if root == "extern_kernels":
            dotted = _extern_twin(rest)
            if dotted.startswith("torch.ops."):
                self._use_op(dotted)
            return ast.parse(dotted, mode="eval").body
        if dotted in _OF_NUMBERS:
            return ast.parse(_OF_NUMBERS[dotted], mode="eval").body
        if root in _NAMESPACE_ALIASES and rest:
            dotted = f"{_NAMESPACE_ALIASES[root]}.{rest}"
            node = ast.parse(dotted, mode="eval").body  # type: ignore[assignment]
        if dotted.startswith("torch.ops."):
            self._use_op(dotted)
            return node
        if dotted == "torch.cuda._DeviceGuard":
            return ast.Name("device_guard", ast.Load())
        if root == "torch" and (rest.startswith("_") or "._" in rest):
            raise Refused(f"it calls {dotted}")
        if rest and root in self._kernels and rest == "run":
            return ast.Name(root, ast.Load())
        return self.generic_visit(node)

    def _use_op(self, dotted: str) -> None:
        parts = dotted.split(".")
        namespace, op = parts[2], parts[3] if len(parts) > 3 else ""
        if namespace == "inductor" and op not in _INDUCTOR_OPS:
            raise Refused(f"it calls {namespace}::{op}, which only torch._inductor registers")
        if namespace in ("prims", "rngprims", "higher_order"):
            raise Refused(f"it calls {namespace}::{op}, which has no kernel of its own")
        overload = parts[4] if len(parts) > 4 else "default"
        suffix = "" if overload == "default" else f".{overload}"
        self.ops.add(f"{namespace}::{op}{suffix}")


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def _extern_twin(name: str) -> str:
    """The public function behind ``extern_kernels.NAME``, or the registered op of that name."""
    if name in _EXTERN_TWINS:
        return _EXTERN_TWINS[name]
    function: Any = binaries.extern_kernel(name)
    public = getattr(function, "__name__", name)
    if function is not None and getattr(torch, public, None) is function:
        if public in TORCH_FUNCTIONS:
            return f"torch.{public}"
        if hasattr(torch.ops.aten, public):
            return f"torch.ops.aten.{public}"
    if ops.is_op(function):
        return f"torch.ops.{function}"
    if ops.is_op_packet(function):
        return f"torch.ops.{ops.op_and_overload(function)[0].replace('::', '.')}"
    raise Refused(f"extern kernel {name} has no public twin")


def check_names(function: ast.FunctionDef, kernels: set[str]) -> None:
    """Refuse a function that refers to a name the native path does not provide."""
    bound = {a.arg for a in function.args.args}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)) and (
            node is not function
        ):
            raise Refused(f"its output code has a nested {type(node).__name__}")
    known = bound | kernels | _RUNTIME_FUNCTIONS | _PLAIN_NAMES | {"device_guard"}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id not in known:
            kind = "the builtin" if hasattr(builtins, node.id) else ""
            raise Refused(f"its output code uses {kind} {node.id}".replace("  ", " "))
