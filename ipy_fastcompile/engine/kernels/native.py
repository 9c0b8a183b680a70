"""Inductor output code -> plain functions over bundled binaries, or the reason why not.

The output code is Python text. On its syntax tree, calls that would build a C++ kernel become
references to an extension module built once and bundled; ``extern_kernels.NAME`` becomes the
public op it stands for; everything else must come from a short list of names, else the kernel is
left to PyTorch's own loader. Branches and loops of a model are functions beside the kernel's own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import GrammarError
from ...grammar.check import check_grammar
from ...torch_compat import binaries, objects
from ...torch_compat.compiled import CompiledParts
from ...torch_compat.launches import CudaLaunch
from ..code.annotate import annotate
from ..code.sources import kernel_lines
from .memories import Layout
from .obstacles import obstacles_of
from .rewriter import Refused, Rewriter, check_names
from .statements import plain_statement
from .views import fewer_views

# Op namespaces that every build of torch registers in C++.
BUILTIN_NAMESPACES = frozenset(
    {"aten", "mkldnn", "mkl", "quantized", "_quantized", "onednn", "prim"}
)


@dataclass(frozen=True)
class Built:
    """A C++ kernel: its name in the code, and the extension module that Inductor built of it.

    ``compiled`` is the object file that this was linked from, empty where none was kept.
    """

    name: str
    library: bytes
    compiled: bytes


@dataclass(frozen=True)
class NativeKernel:
    """A kernel that needs nothing but torch, bundled binaries and registered ops.

    ``code`` defines the function ``name``, and before it those of the model's branches and loops,
    ``subgraph_0`` and so on. ``libraries`` are the C++ kernels that it calls, ``cubins`` the
    launches on a GPU, and ``ops`` the registered ops. ``views`` are the inputs, by position, that
    it is given in other sizes and strides.
    """

    name: str
    code: str
    libraries: tuple[Built, ...]
    cubins: tuple[CudaLaunch, ...]
    ops: tuple[str, ...]
    views: Mapping[int, Layout] = field(default_factory=dict)


def rewrite_kernel(
    parts: CompiledParts,
    name: str,
    checked: Set[int] = frozenset(),
    views: Mapping[int, Layout] | None = None,
) -> tuple[NativeKernel | None, str]:
    """The native form of a compiled submodule, or None and the reason.

    ``checked`` are the positions of inputs whose sizes and strides are known when it is called,
    ``views`` those that are handed over in another layout, which the kernel looks at them in.
    """
    obstacles = "; ".join(obstacles_of(parts))
    if obstacles:
        return None, obstacles
    try:
        return _rewrite(parts, name, checked, views or {}), ""
    except Refused as refusal:
        return None, str(refusal)


def _rewrite(
    parts: CompiledParts, name: str, checked: Set[int], views: Mapping[int, Layout]
) -> NativeKernel:
    tree = ast.parse(parts.output_code)
    call = _find_call(tree)
    cpp = dict(_cpp_kernels(tree))
    launches = dict(_triton_kernels(tree, parts))
    called = _subgraphs(tree, call)
    names = {f.name: f"subgraph_{i}" for i, f in enumerate(called)}
    rewriter = Rewriter(set(cpp) | set(launches), names)
    functions = [_as_subgraph(f, names[f.name]) for f in called]
    functions.append(_as_function(call, name, parts, checked))
    lines = kernel_lines(parts.output_code, parts.line_map)
    texts, used = [], set()
    for function in functions:
        written = ast.fix_missing_locations(rewriter.visit(function))
        if function is functions[-1]:
            written = fewer_views(written, set(cpp), views)
        check_names(written, set(cpp) | set(launches) | set(names.values()))
        used |= {n.id for n in ast.walk(written) if isinstance(n, ast.Name)}
        texts.append(annotate(written, lines))
    code = "\n\n".join(texts)
    try:
        check_grammar(code, name, kernel=True)
    except GrammarError as error:
        raise Refused(f"the native path does not know its output code: {error.what}") from None
    return NativeKernel(
        name,
        code,
        tuple(_built(k, *each) for k, each in cpp.items() if k in used),
        tuple(launch for kernel, launch in launches.items() if kernel in used),
        tuple(sorted(rewriter.ops)),
        views,
    )


def _subgraphs(tree: ast.Module, call: ast.FunctionDef) -> list[ast.FunctionDef]:
    """The functions of branches and loops that ``call`` reaches, each before those that call it."""
    defined = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef) and n is not call}
    found: list[ast.FunctionDef] = []

    def reach(function: ast.FunctionDef) -> None:
        for node in ast.walk(function):
            inner = defined.get(node.id) if isinstance(node, ast.Name) else None
            if inner is not None and inner not in found and inner is not function:
                reach(inner)
                found.append(inner)

    reach(call)
    return found


def _as_subgraph(function: ast.FunctionDef, name: str) -> ast.FunctionDef:
    """A function of one list, which it empties: its caller holds no tensor meanwhile."""
    function.name = name
    function.body = [made for statement in function.body for made in plain_statement(statement)]
    return function


def _find_call(tree: ast.Module) -> ast.FunctionDef:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Runner":
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "call":
                    return item
        if isinstance(node, ast.FunctionDef) and node.name == "call":
            return node
    raise Refused("its output code has no function 'call'")


def _async_compile_calls(tree: ast.Module, method: str) -> Iterator[tuple[str, ast.Call]]:
    for node in tree.body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        function = node.value.func
        if (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id == "async_compile"
            and isinstance(node.targets[0], ast.Name)
            and function.attr == method
        ):
            yield node.targets[0].id, node.value


def _cpp_kernels(tree: ast.Module) -> Iterator[tuple[str, tuple[list[str], str]]]:
    for name, call in _async_compile_calls(tree, "cpp_pybinding"):
        types, source = (ast.literal_eval(argument) for argument in call.args[:2])
        if call.keywords or len(call.args) > 2:
            raise Refused(f"{name} is built with options")
        yield name, (types, source)


def _triton_kernels(tree: ast.Module, parts: CompiledParts) -> Iterator[tuple[str, CudaLaunch]]:
    for name, call in _async_compile_calls(tree, "triton"):
        launch = parts.launches.get(ast.literal_eval(call.args[0]))
        if not isinstance(launch, CudaLaunch):
            raise Refused(launch or f"{name} has no statically launched form")
        yield name, launch


def kernel_sources(output_code: str) -> list[tuple[str, str, str]]:
    """(name, language, text) of the C++ and Triton kernels in output code, for reading."""
    tree = ast.parse(output_code)
    found = []
    for method, language, position in (("cpp_pybinding", "cpp", 1), ("triton", "python", 1)):
        for name, call in _async_compile_calls(tree, method):
            found.append((name, language, str(ast.literal_eval(call.args[position])).strip("\n")))
    return found


def _built(name: str, types: list[str], source: str) -> Built:
    path = binaries.cpp_kernel_library(types, source)
    return Built(name, Path(path).read_bytes(), objects.object_of(path))


def _as_function(
    call: ast.FunctionDef, name: str, parts: CompiledParts, checked: Set[int]
) -> ast.FunctionDef:
    """``call(self, args)``, which unpacks a list and clears it, as a function of its inputs."""
    names: list[str] = []
    body: list[ast.stmt] = []
    for statement in call.body:
        if isinstance(statement, ast.Assign) and _is_name(statement.value, "args"):
            target = statement.targets[0]
            elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
            names = [e.id for e in elements if isinstance(e, ast.Name)]
            continue
        if (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and isinstance(statement.value.func, ast.Attribute)
            and _is_name(statement.value.func.value, "args")
        ):
            continue
        if not _asserts_layout(statement, {names[i] for i in checked if i < len(names)}):
            body += plain_statement(statement)
    aligned: list[ast.stmt] = [
        ast.parse(f"{names[i]} = aligned({names[i]})").body[0] for i in parts.checked_inputs
    ]
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in names], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    function = ast.parse(f"def {name}(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.args, function.body = arguments, [*aligned, *body]
    return function


def _asserts_layout(statement: ast.stmt, names: Set[str]) -> bool:
    """Whether a statement asserts sizes and strides of one of these inputs."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and _is_name(statement.value.func, "assert_size_stride")
        and any(_is_name(statement.value.args[0], name) for name in names)
    )


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
