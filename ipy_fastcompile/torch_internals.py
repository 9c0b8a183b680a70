"""Private torch APIs -> named functions: the only file that touches ``torch._*``.

One function per private API, with the versions it was seen on. Nothing here is imported before it
is used, so that the native reload path stays free of `torch._dynamo` and `torch._inductor`.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

# --- trees (torch.utils._pytree; seen on 2.11 and 2.13) ------------------------------------------


def flatten_tree(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a nest of registered containers, and its tree specification."""
    from torch.utils import _pytree

    return _pytree.tree_flatten(tree)


def unflatten_tree(leaves: Sequence[Any], spec: Any) -> Any:
    """The nest of containers with these leaves."""
    from torch.utils import _pytree

    return _pytree.tree_unflatten(leaves, spec)


@dataclass(frozen=True)
class RegisteredContainer:
    """A container type whose owner told `torch.utils._pytree` how to take it apart.

    ``open`` gives the keys, where they are names, the items, and the context as its owner saves
    it; ``close`` makes the container of the items and that context.
    """

    open: Callable[[Any], tuple[tuple[str, ...], tuple[Any, ...], Any]]
    close: Callable[[Sequence[Any], Any], Any]


def registered_container(kind: type) -> RegisteredContainer | None:
    """How a registered type is taken apart; None for one that nobody registered."""
    from torch.utils import _pytree

    node = _pytree.SUPPORTED_NODES.get(kind)
    if node is None:
        return None
    named = _pytree.SUPPORTED_SERIALIZED_TYPES.get(kind)

    def open_(value: Any) -> tuple[tuple[str, ...], tuple[Any, ...], Any]:
        items, context = node.flatten_fn(value)
        keys: tuple[Any, ...] = ()
        if node.flatten_with_keys_fn is not None:
            pairs, _ = node.flatten_with_keys_fn(value)
            keys = tuple(getattr(key, "name", getattr(key, "key", None)) for key, _ in pairs)
            if not all(isinstance(k, str) and k.isidentifier() for k in keys):
                keys = ()
        if named is not None and named.to_dumpable_context is not None:
            context = named.to_dumpable_context(context)
        return keys, tuple(items), context

    def close(items: Sequence[Any], context: Any) -> Any:
        if named is not None and named.from_dumpable_context is not None:
            context = named.from_dumpable_context(context)
        return node.unflatten_fn(items, context)

    return RegisteredContainer(open_, close)


# --- what Inductor's output code calls (torch._C; seen on 2.11 to 2.14) --------------------------


def output_code_functions() -> dict[str, Any]:
    """The C functions that Inductor's output code calls by these names.

    They live in torch's C extension, so no Python of `torch._dynamo` is imported.
    """
    guards = torch._C._dynamo.guards
    functions = {
        "assert_size_stride": guards.assert_size_stride,
        "assert_tensor_metadata": assert_tensor_metadata,
        "assert_alignment": guards.assert_alignment,
        "empty_strided_cpu": guards._empty_strided_cpu,
        "reinterpret_tensor": guards._reinterpret_tensor,
    }
    for name in ("copy_if_misaligned", "assert_size_stride_grouped"):  # from 2.13; from 2.14
        if hasattr(guards, name):
            functions[name] = getattr(guards, name)
    if hasattr(guards, "_empty_strided_cpu_pinned"):
        functions["empty_strided_cpu_pinned"] = guards._empty_strided_cpu_pinned
    if hasattr(guards, "_empty_strided_cuda"):
        functions["empty_strided_cuda"] = guards._empty_strided_cuda
    if hasattr(torch._C, "_cuda_getCurrentRawStream"):
        functions["get_raw_stream"] = torch._C._cuda_getCurrentRawStream
    if hasattr(torch.cuda, "_DeviceGuard"):
        functions["device_guard"] = torch.cuda._DeviceGuard
    return functions


def assert_tensor_metadata(
    tensor: torch.Tensor | None,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    dtype: torch.dtype,
    op: str | None = None,
) -> None:
    """Raise RuntimeError when what an op returned is not what its meta function promised.

    As Inductor's from 2.14 on, which lives in a module that a native load does not import.
    """
    if tensor is None:
        return
    if tensor.dtype != dtype:
        raise RuntimeError(
            f"expected dtype {dtype} but got {tensor.dtype}{f' from {op}' if op else ''}: "
            "what the op says about its output is wrong; torch.library.opcheck tests it."
        )
    torch._C._dynamo.guards.assert_size_stride(tensor, size, stride, op)


def provide_data_pointer_function() -> None:
    """Tell the C++ kernels of Inductor where the function is that reads a tensor's data pointer.

    Their bindings read the address from this environment variable when they are imported.
    """
    address = torch._C._dynamo.guards._torchinductor_pyobject_tensor_data_ptr
    os.environ["_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR"] = str(address)


def launch_cubin_function() -> Callable[..., None] | None:
    """The C launcher of loaded cubins, None in a build without CUDA."""
    launcher: Any = getattr(torch._C, "_StaticCudaLauncher", None)
    return None if launcher is None else launcher._launch_kernel


def load_cubin(path: str, symbol: str, shared: int, device: int) -> tuple[Any, Any]:
    """Load a function of a cubin: (what keeps it loaded, its handle). ``shared`` in bytes.

    2.11 returns (function, registers, spills), 2.13 the owning module before them.
    """
    loaded: Any = torch._C._StaticCudaLauncher._load_kernel(path, symbol, shared, device)
    return (loaded[0], loaded[1]) if len(loaded) == 4 else (None, loaded[0])


# --- capture (seen on 2.11 and 2.13) -------------------------------------------------------------


def is_symbolic_int(value: Any) -> bool:
    """Whether a number is a symbolic size with an expression behind it."""
    return isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool))


def symbolic_expression(value: Any) -> Any:
    """The sympy expression of a symbolic number."""
    return value.node.expr


def read_from_data(value: Any) -> str:
    """The symbol that a number was when an op read it from a tensor, "" for others (2.13)."""
    from torch.fx.experimental.symbolic_shapes import SymT, symbol_is_type

    unresolved = value.node._expr if is_symbolic_int(value) else None
    is_symbol = bool(getattr(unresolved, "is_Symbol", False))
    is_own = is_symbol and symbol_is_type(unresolved, SymT.UNBACKED_INT)
    return str(unresolved) if is_own else ""


def symbolic_hint(value: Any) -> int:
    """The size that a symbolic number had for the example inputs.

    2.13 keeps no hint for unbacked sizes; they count as 1.
    """
    if not is_symbolic_int(value):
        return int(value)
    node = value.node
    return int(node.hint) if node.has_hint() else 1


def symbol_hints(value: Any) -> dict[Any, int]:
    """The symbols in a symbolic number, and the size each had for the example inputs."""
    shape_env = value.node.shape_env
    hints = getattr(shape_env, "backed_var_to_val", None)
    hints = shape_env.var_to_val if hints is None else hints  # 2.11 has only this
    return {s: int(hints[s]) for s in value.node.expr.free_symbols if s in hints}


def retrace(function: Callable[..., Any], values: Sequence[Any]) -> torch.fx.GraphModule:
    """The ops that a function of fake values runs, as a graph over the same sizes.

    Modes that are on while it runs, autocast or vmap, are in the ops afterwards; composite ops
    become what they are made of, as in AOTAutograd (`make_fx`; seen on 2.11 and 2.13).
    """
    from torch._dispatch.python import enable_python_dispatcher
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.traceback import preserve_node_meta

    fakes = [v for v in values if hasattr(v, "fake_mode")]
    mode = fakes[0].fake_mode if fakes else contextlib.nullcontext()
    with torch.no_grad(), mode, enable_python_dispatcher(), preserve_node_meta():
        traced = make_fx(function)(*values)
    for node in traced.graph.nodes:
        held = getattr(traced, str(node.target), None) if node.op == "get_attr" else None
        if isinstance(held, torch.Tensor):
            _write_out(traced, node, held)
    return traced


def _write_out(traced: torch.fx.GraphModule, node: torch.fx.Node, held: torch.Tensor) -> None:
    """Let a graph make the number that it holds as a tensor: compiled graphs hold none."""
    value = getattr(held, "constant", None)
    known = value if isinstance(value, torch.Tensor) else held
    if known.numel() != 1 or is_fake(known):
        raise ValueError(f"it makes a constant of shape {tuple(held.shape)} as it runs")
    options: dict[str, Any] = {"dtype": known.dtype, "device": known.device}
    with traced.graph.inserting_before(node):
        full = torch.ops.aten.full.default
        made = traced.graph.call_function(full, (list(known.shape), known.item()), options)
    made.meta = dict(node.meta)
    made.meta["val"] = node.meta.get("val", held)
    node.replace_all_uses_with(made)
    traced.graph.erase_node(node)


# Ops that take graphs and that eager mode runs as a fixed sequence of ops, the loops unrolled.
_UNROLLED = ("flex_attention", "scan", "map_impl", "associative_scan")


def eager_implementation(target: Any) -> Callable[..., Any] | None:
    """What eager mode runs for an op that takes graphs, None for all others (seen on 2.13)."""
    if not is_higher_order(target) or target.name() not in _UNROLLED:
        return None
    kernels: dict[Any, Callable[..., Any]] = target.py_kernels
    return kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)


def end_of_transform(begin: Any) -> Callable[[], Any]:
    """What ends a transform of functions that ``_vmap_increment_nesting``, say, has begun.

    They are in `torch._functorch.predispatch` (seen on 2.11 and 2.13).
    """
    name = begin.__name__.replace("increment", "decrement")
    end: Callable[[], Any] = getattr(sys.modules[begin.__module__], name)
    return end


def storage_identity(tensor: torch.Tensor) -> int:
    """A number that tensors share exactly when they share their storage; fake tensors have one."""
    return int(tensor.untyped_storage()._cdata)


# --- what a graph takes for granted about sizes (seen on 2.13) -----------------------------------


@dataclass(frozen=True)
class Evaluation:
    """A question about sizes that a capture asked, and its answer.

    ``relied_on`` is whether the other answer might have made another graph: questions that an op
    asks about its own result are none of these. Where the answer became
    a guard, ``guard`` is that, and ``frames`` are the (file, line, function) it was asked from, the
    innermost first, without torch's and ours.
    """

    environment: Any
    expression: Any
    answer: Any
    relied_on: bool
    guard: Any = None
    frames: tuple[tuple[str, int, str], ...] = ()


def shape_environment(graph_module: torch.fx.GraphModule) -> Any:
    """What knows the symbolic sizes of a graph: a ShapeEnv; None where all are fixed."""
    for node in graph_module.graph.nodes:
        value = node.meta.get("val")
        for size in (*value.shape, value) if isinstance(value, torch.Tensor) else (value,):
            if is_symbolic_int(size):
                return size.node.shape_env
    return None


@contextlib.contextmanager
def watched_sizes(seen: Callable[[Evaluation], None] | None = None) -> Iterator[None]:
    """Tell of every question about sizes that is asked meanwhile, those answered by ranges too.

    A question that may be answered either way (`guard_or_false` and the like) leaves no guard where
    its answer is the one that is right whatever the truth is.
    """
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    original = ShapeEnv.evaluate_expr

    def evaluate_expr(
        self: Any,
        orig_expr: Any,
        hint: Any = None,
        fx_node: Any = None,
        size_oblivious: bool = False,
        fallback_value: bool | None = None,
        **options: Any,
    ) -> Any:
        choice = _free_choice(self, orig_expr, fallback_value)
        if choice is not None:
            return choice
        before = len(self.guards)
        answer = original(self, orig_expr, hint, fx_node, size_oblivious, fallback_value, **options)
        if seen is not None and not isinstance(orig_expr, bool):
            # `guard_or_false` asks with a fallback, which is right whatever the truth is.
            relied_on = fallback_value is None or bool(answer) is not fallback_value
            relied_on = relied_on and not _asked_by_an_op()
            guard: Any = None
            frames: tuple[tuple[str, int, str], ...] = ()
            if len(self.guards) > before:
                guard, frames = self.guards[before].expr, tuple(_frames())
            seen(Evaluation(self, orig_expr, answer, relied_on, guard, frames))
        return answer

    ShapeEnv.evaluate_expr = evaluate_expr  # type: ignore[method-assign]
    try:
        yield
    finally:
        ShapeEnv.evaluate_expr = original  # type: ignore[method-assign]


def _free_choice(environment: Any, expression: Any, fallback: bool | None) -> bool | None:
    """The answer to a question whose answer may be made up, where that needs no guard; else None.

    Such are those with a fallback, which is right for all sizes, when the example agrees with it;
    and which backend a convolution takes: each run decides that again, by its own sizes.
    """
    symbols = getattr(expression, "free_symbols", None)
    hints = getattr(environment, "backed_var_to_val", None)
    hints = environment.var_to_val if hints is None else hints  # 2.11 has only this
    if not symbols or not symbols <= hints.keys() or not is_short(expression):
        return None  # a guard on a long expression is what keeps the next ones shorter
    if fallback is None and not _asked_by_convolution():
        return None
    if environment._maybe_evaluate_static(expression) is not None:
        return None
    answer = environment.replace(expression).xreplace(hints)
    if str(answer) not in ("True", "False"):
        return None
    answer = str(answer) == "True"
    return answer if fallback is None or answer is fallback else None


_SHORT = 48


def is_short(expression: Any) -> bool:
    """Whether an expression over sizes has few enough parts for proofs about it to be quick."""
    waiting, parts = [expression], 0
    while waiting:
        waiting += waiting.pop().args
        parts += 1
        if parts > _SHORT:
            return False
    return True


def _asked_by_convolution() -> bool:
    frame: Any = sys._getframe(3)
    while frame is not None:
        file = frame.f_code.co_filename
        if "fx/experimental/" not in file and not file.endswith("torch/__init__.py"):
            return bool(frame.f_code.co_name == "conv" and file.endswith("fake_impls.py"))
        frame = frame.f_back
    return False


_ASKERS = ("fx/experimental/", "__init__.py", "utils/_", "_logging/", "_guards.py", "_compile.py")
_OPS = ("_ops.py", "_subclasses/", "_refs/", "_prims", "_meta_registrations.py", "_decomp/",
        "_library/", "_higher_order_ops/", "_export/", "export/", "_tensor.py")  # fmt: skip


def _asked_by_an_op() -> bool:
    """Whether a question about sizes is one of torch's Python implementations of ops."""
    torch_directory = str(Path(torch.__file__).parent) + os.sep
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(torch_directory):
            return False
        inside = file[len(torch_directory) :]
        if not inside.startswith(_ASKERS):
            return inside.startswith(_OPS)
        frame = frame.f_back
    return False


def _frames() -> Iterator[tuple[str, int, str]]:
    """(file, line, function) of the frames above ours that are not torch's, innermost first."""
    torch_directory = str(Path(torch.__file__).parent) + os.sep
    own_directory = str(Path(__file__).parent) + os.sep
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(own_directory):
            return
        if not file.startswith(torch_directory):
            yield file, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back


def recorded_guards(environment: Any) -> list[Any]:
    """Every condition on sizes that a ShapeEnv holds: guards, and deferred runtime assertions."""
    deferred = environment.deferred_runtime_asserts.values()
    return [
        *(guard.expr for guard in environment.guards),
        *(asserted.expr for group in deferred for asserted in group),
    ]


def assertion_op() -> Any:
    """The op that raises its text where a number is 0 (seen on 2.11 and 2.13)."""
    return torch.ops.aten._assert_scalar.default


def asserted_of_data(environment: Any) -> list[Any]:
    """What is asserted, while a graph runs, of sizes that depend on values (seen on 2.13)."""
    return [a.expr for found in environment.deferred_runtime_asserts.values() for a in found]


def replaced_sizes(environment: Any, expression: Any) -> Any:
    """An expression with equal symbols made one, as in the sizes of the graph's values."""
    return environment.replace(expression)


def size_replacements(environment: Any) -> dict[Any, Any]:
    """Symbol -> what it was found to be: another symbol, a number, or arithmetic on others."""
    return dict(environment.replacements)


def symbol_range(environment: Any, symbol: Any) -> tuple[int, int | None] | None:
    """The least and the largest number that a capture took a symbol to be; None: without bound."""
    limits = environment.var_to_range.get(symbol)
    if limits is None:
        return None
    # sympy's infinities have no integer value.
    low = 0 if "oo" in str(limits.lower) else int(limits.lower)
    return low, None if "oo" in str(limits.upper) else int(limits.upper)


def bounded(expression: Any, ranges: Mapping[Any, tuple[int, int | None]]) -> tuple[Any, Any]:
    """The least and the largest value of an expression over these ranges, as sympy's numbers."""
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

    known = {
        symbol: ValueRanges(low, int_oo if high is None else high)
        for symbol, (low, high) in ranges.items()
    }
    found = bound_sympy(expression, known)
    return found.lower, found.upper


def remainder(base: Any, number: int) -> Any:
    """Torch's own form of ``base % number``; sympy's would be rewritten by sympy's rules."""
    from torch.utils._sympy.functions import Mod

    return Mod(base, number)


@contextlib.contextmanager
def fake_tensors() -> Iterator[None]:
    """Tensors without values: what is made meanwhile has a shape and a dtype, and no memory."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True), torch.no_grad():
        yield


def known_answer(
    environment: Any, expression: Any, ranges: Mapping[Any, tuple[int, int | None]]
) -> Any:
    """What a condition is for all sizes in these ranges and all that was recorded, else None."""
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges

    known = dict(environment.var_to_range)
    for symbol, (low, high) in ranges.items():
        known[symbol] = ValueRanges(low, int_oo if high is None else high)
    return environment._maybe_evaluate_static(expression, var_to_range=tuple(known.items()))


# --- lowering (torch._inductor; seen on 2.11 and 2.13) -------------------------------------------


# What `torch.compile` notes on a module and on its parameters, for itself alone (seen on 2.13).
MARKS_OF_TORCH_COMPILE = frozenset({"_is_torch_compile", "_dynamo_static_input_type"})

# What a compile imports, in steps of a second or two; between any two of them all is whole.
COMPILER_MODULES = (
    "sympy",
    "torch.fx.experimental.symbolic_shapes",
    "torch._dynamo",
    "torch.export._trace",
    "torch._functorch.aot_autograd",
    "torch._inductor.compile_fx",
)


# The threads whose partial graphs nobody wants to read.
_capturing: set[int] = set()


@contextlib.contextmanager
def without_partial_graph() -> Iterator[None]:
    """Keep `torch.export` from printing the graph it had when it fails (seen on 2.11 and 2.13).

    Its module gets a ``print`` of its own, which leaves out that one text in a thread within this
    block. All else on stderr, of this and other threads, goes its way as it is said.
    """
    from torch.export import _trace

    vars(_trace)["print"] = _print_no_partial_graph
    thread = threading.get_ident()
    _capturing.add(thread)
    try:
        yield
    finally:
        _capturing.discard(thread)


def _print_no_partial_graph(*words: Any, **options: Any) -> None:
    graph = getattr(sys.exc_info()[1], "partial_fx_graph", None)
    if graph is None or words != (graph,) or threading.get_ident() not in _capturing:
        print(*words, **options)  # noqa: T201 - torch's own call


@contextlib.contextmanager
def _inference() -> Iterator[None]:
    import torch._functorch.config

    with (
        torch.no_grad(),
        torch._functorch.config.patch(autograd_cache_normalize_inputs=True),
    ):
        yield


def compile_submodule(
    graph_module: torch.fx.GraphModule, inputs: Sequence[Any], digest: str = ""
) -> bytes:
    """Compile a submodule by `standalone_compile(aot=True)`; the serialized artifact.

    The placeholders' and nodes' fake values are in ``node.meta["val"]``, where export puts them;
    Inductor looks for them under ``"example_value"``. ``digest`` stands for the whole graph, see
    `_cacheable_branches`.
    """
    from torch._inductor import standalone_compile

    for node in graph_module.graph.nodes:
        if "val" in node.meta:
            node.meta["example_value"] = _named_by_its_symbol(node.meta["val"])
    with (
        _inference(),
        _cacheable_branches(graph_module, digest),
        _compiled_anew(inputs),
        _assertions_of_its_own(graph_module),
        watched_sizes(),
    ):
        artifact = standalone_compile(
            graph_module,
            list(map(_named_by_its_symbol, inputs)),
            dynamic_shapes="from_graph",
            options={},
            aot=True,
        )
        return artifact.serialize()


@contextlib.contextmanager
def _compiled_anew(inputs: Sequence[Any]) -> Iterator[None]:
    """Keep Inductor from taking a kernel for dynamic sizes out of its cache.

    Its entry does not say which guards on sizes were recorded while it was made, and a hit records
    none; a call could then not be checked for them. The C++ libraries are still taken from theirs.
    """
    import uuid

    import torch.compiler.config

    sizes = [s for v in inputs for s in (v.shape if isinstance(v, torch.Tensor) else (v,))]
    if not any(map(is_symbolic_int, sizes)):
        yield
        return
    with torch.compiler.config.patch(cache_key_tag=uuid.uuid4().hex):
        yield


@contextlib.contextmanager
def _assertions_of_its_own(graph_module: torch.fx.GraphModule) -> Iterator[None]:
    """Let a kernel assert of sizes that depend on data only what its own inputs can tell.

    Inductor writes all that the shape environment holds of such a size into every graph that takes
    it, with names of sizes that only other graphs have (`GraphLowering`; seen on 2.13).
    """
    from torch._inductor.graph import GraphLowering

    told: set[Any] = set()
    for node in graph_module.graph.nodes:
        if node.op == "placeholder":
            value = node.meta.get("val")
            sizes = value.shape if isinstance(value, torch.Tensor) else (value,)
            expressions = [symbolic_expression(n) for n in sizes if is_symbolic_int(n)]
            told.update(e for e in expressions if getattr(e, "is_Symbol", False))
    lowering: Any = GraphLowering
    original = lowering.create_deferred_runtime_asserts

    def create(self: Any, node: Any, new: Any) -> None:
        environment = self.sizevars.shape_env
        hints = getattr(environment, "backed_var_to_val", None)
        known = set(environment.var_to_val if hints is None else hints)  # 2.11 has only this
        for symbol in new:
            assertions = self.ras_by_symbol.get(symbol)
            if assertions:
                self.ras_by_symbol[symbol] = [
                    a for a in assertions if not (a.expr.free_symbols & known) - told
                ]
        original(self, node, new)

    lowering.create_deferred_runtime_asserts = create
    try:
        yield
    finally:
        lowering.create_deferred_runtime_asserts = original


def compile_at_size(
    graph_module: torch.fx.GraphModule, inputs: Sequence[Any], digest: str = ""
) -> bytes:
    """The same for example inputs of fixed sizes; the graph is traced again for them."""
    from torch._inductor import standalone_compile

    with _inference(), _cacheable_branches(graph_module, digest):
        artifact = standalone_compile(
            graph_module,
            list(inputs),
            dynamic_shapes="from_example_inputs",
            options={},
            aot=True,
        )
        return artifact.serialize()


def _named_by_its_symbol(value: Any) -> Any:
    """A size that is one symbol, as a number that says so.

    A number that was computed keeps the expression it came from, ``4*s0 // 4``, and Inductor binds
    no symbol from that (`_get_placeholder_expr`; seen on 2.13).
    """
    if not isinstance(value, torch.SymInt):
        return value
    node: Any = value.node
    expression = node.expr
    if not expression.is_Symbol or expression == node._expr:
        return value
    hint = node.hint if node.has_hint() else None
    return node.shape_env.create_symintnode(expression, hint=hint)


# Ops that take graphs, which Inductor lowers to branches and loops but takes for uncacheable; and
# only what it could cache can be serialized (seen on 2.13).
_BRANCHES = ("cond", "while_loop", "scan", "map_impl", "associative_scan")


@contextlib.contextmanager
def _cacheable_branches(graph_module: torch.fx.GraphModule, digest: str) -> Iterator[None]:
    """Let Inductor cache graphs with branches and loops, under a key with a digest of their own."""
    import torch.compiler.config

    targets: list[Any] = [node.target for node in graph_module.graph.nodes]
    branches = any(is_higher_order(t) and t.name() in _BRANCHES for t in targets)
    if not branches or not digest:
        yield
        return
    ops: list[Any] = [getattr(torch.ops.higher_order, name) for name in _BRANCHES]
    before = [op._cacheable for op in ops]
    for op in ops:
        op._cacheable = True
    try:
        with torch.compiler.config.patch(cache_key_tag=digest):
            yield
    finally:
        for op, cacheable in zip(ops, before, strict=True):
            op._cacheable = cacheable


def deserialize_kernel(data: bytes) -> Callable[..., Any]:
    """The callable of a serialized artifact: PyTorch's own loader (unpickles, may compile C++)."""
    from torch._inductor.standalone_compile import AOTCompiledArtifact

    if hasattr(AOTCompiledArtifact, "deserialize"):
        return AOTCompiledArtifact.deserialize(data)
    from torch._dynamo.aot_compile_types import BundledAOTAutogradSerializableCallable

    return BundledAOTAutogradSerializableCallable.deserialize_compile_artifacts(data)


@dataclass(frozen=True)
class CudaLaunch:
    """A Triton kernel as a cubin, and how torch's C launcher starts it: no Triton is needed.

    ``name`` is the kernel's name in the output code, ``symbol`` the function's in the cubin.
    ``parameters`` are what the output code passes, in order; ``passed`` those that the cubin
    takes, with their types in ``argument_types`` ("O" pointer, "i" int32, "l" int64, "f" float,
    "d" double), followed by ``scratch_arguments`` null pointers. ``grid`` are Python expressions
    over the parameters, ``grid_setup`` assignments before them. ``shared`` in bytes.

    Source: torch/_inductor/runtime/static_triton_launcher.py, torch 2.11 and later.
    """

    name: str
    symbol: str
    cubin: bytes
    parameters: tuple[str, ...]
    passed: tuple[str, ...]
    argument_types: str
    scratch_arguments: int
    num_warps: int
    shared: int
    grid_setup: tuple[str, ...]
    grid: tuple[str, str, str]
    device: int
    chosen: str  # the configuration that autotuning chose


@dataclass(frozen=True)
class CompiledParts:
    """What a serialized artifact of `standalone_compile(aot=True)` holds.

    ``obstacles`` say what AOTAutograd must do around the kernel that the native path does not do;
    ``constants`` are tensors the output code refers to by name; ``checked_inputs`` are the indices
    of inputs whose alignment (16 bytes) is checked on a GPU. ``launches`` has the statically
    launched form of every Triton kernel, or the reason why it has none.
    """

    output_code: str
    aten_graph: str
    line_map: tuple[tuple[int, str], ...]
    obstacles: tuple[str, ...]
    constants: Mapping[str, torch.Tensor]
    mutated_inputs: tuple[int, ...]
    checked_inputs: tuple[int, ...]
    launches: Mapping[str, CudaLaunch | str]


def open_compiled(data: bytes, inputs: Callable[[], Sequence[Any]] = tuple) -> CompiledParts:
    """Look inside a serialized artifact made in this process.

    ``inputs`` makes inputs it can be run on, for GPU kernels that have to be autotuned.
    """
    bundle = pickle.loads(data)
    entry = bundle[0] if isinstance(bundle, tuple) else bundle
    code = entry.compiled_fw.result
    bundled = getattr(code, "_triton_bundle", None)
    return CompiledParts(
        output_code=code.source_code,
        aten_graph=code.inductor_post_grad_graph_str or entry.aot_forward_graph_str or "",
        line_map=_line_map(code),
        obstacles=tuple(_wrapper_obstacles(entry, code)),
        constants=dict(code.constants or {}),
        mutated_inputs=tuple(sorted(code.mutated_input_idxs or ())),
        checked_inputs=tuple(code.inputs_to_check or ()),
        launches=_read_launches(data, code.cache_key, bundled, inputs) if bundled else {},
    )


def output_strides(data: bytes) -> tuple[tuple[str, ...] | None, ...]:
    """The strides of what a serialized artifact returns, as expressions over the symbols."""
    bundle = pickle.loads(data)
    entry = bundle[0] if isinstance(bundle, tuple) else bundle
    strides = entry.compiled_fw.result.output_strides or ()
    return tuple(None if s is None else tuple(map(str, s)) for s in strides)


def _read_launches(
    data: bytes, cache_key: str, bundled: Any, inputs: Callable[[], Sequence[Any]]
) -> dict[str, CudaLaunch | str]:
    """The launch of every Triton kernel in a bundle, after autotuning those that have a choice."""
    tuners = [static.kernel for static in bundled.static_autotuners]
    if not tuners:
        return {}
    chosen: dict[str, Any] = {}
    if any(len(tuner.compile_results) > 1 for tuner in tuners):
        chosen = _autotuned(data, cache_key, inputs())
    cubins = {}
    for kernel in bundled.kernel_artifacts:
        for file in kernel.artifacts:
            if file.filename.endswith(".cubin"):
                cubins[kernel.kernel_hash] = file.payload
    return {
        tuner.inductor_meta["kernel_name"]: _read_launch(tuner, chosen, cubins) for tuner in tuners
    }


def _autotuned(data: bytes, cache_key: str, inputs: Sequence[Any]) -> dict[str, Any]:
    """Run a kernel once, which makes Inductor choose configurations; kernel name -> the choice.

    The tuners are those of the module that is loaded meanwhile from the path of this cache key:
    another module may have a kernel of the same name (`CompiledFxGraph.after_deserialization`,
    2.11 and 2.13).
    """
    from torch._inductor.codecache import PyCodeCache, get_path

    before = {id(module) for module in PyCodeCache.modules}
    with torch.no_grad():
        deserialize_kernel(data)(*inputs)
    path = get_path(cache_key, "py")[2]
    own = [m for m in PyCodeCache.modules if m.__file__ == path]
    # A module that was loaded without constants is kept, and used again for the same path.
    loaded = [m for m in own if id(m) not in before] or own
    found: dict[str, Any] = {}
    for module in loaded[-1:]:
        for name, value in vars(module).items():
            launchers = getattr(value, "launchers", None)
            if name.startswith("triton_") and launchers and len(launchers) == 1:
                found[name] = launchers[0].config
    return found


def _read_launch(
    tuner: Any, chosen: Mapping[str, Any], cubins: Mapping[str, bytes]
) -> CudaLaunch | str:
    from torch._inductor.runtime.runtime_utils import triton_hash_to_path_key
    from torch._inductor.runtime.triton_heuristics import GridExpr, config_to_dict

    name = tuner.inductor_meta["kernel_name"]
    if getattr(tuner, "reset_to_zero_arg_names", None):
        return f"{name} resets arguments to zero before each launch"
    results = list(tuner.compile_results)
    if len(results) > 1:
        if name not in chosen:
            return f"{name} has {len(results)} configurations and was not autotuned"
        wanted = config_to_dict(chosen[name])
        results = [r for r in results if config_to_dict(r.config) == wanted]
        if not results:
            return f"{name} was tuned to a configuration that is not bundled"
    result = results[0]
    kernel = result.kernel
    if not hasattr(kernel, "arg_tys"):
        return f"{name} has no statically launched form"
    cubin = getattr(kernel, "cubin_raw", None) or cubins.get(triton_hash_to_path_key(kernel.hash))
    if not cubin:
        return f"{name} was bundled without its cubin"
    _, parameters, none_names = result._get_arg_lists(kernel.arg_names, kernel.declared_constexprs)
    passed = [
        argument
        for position, argument in enumerate(kernel.arg_names)
        if position not in kernel.full_constexprs and argument not in none_names
    ]
    grid = GridExpr.from_meta(result.inductor_meta, result.config)
    return CudaLaunch(
        name=name,
        symbol=kernel.name,
        cubin=cubin,
        parameters=tuple(parameters),
        passed=tuple(passed),
        argument_types=kernel.arg_tys,
        scratch_arguments=int(kernel.has_global_scratch)
        + int(getattr(kernel, "has_profile_scratch", False)),
        num_warps=int(kernel.num_warps),
        shared=int(kernel.shared),
        grid_setup=tuple(map(str, grid.prefix)),
        grid=(str(grid.x_grid), str(grid.y_grid), str(grid.z_grid)),
        device=int(result.compile_meta.get("device") or 0),
        chosen=str(result.config),
    )


def _line_map(code: Any) -> tuple[tuple[int, str], ...]:
    """Where in the output code the work on each node begins, with the node's stack trace.

    Inductor counts lines before it puts the block that autotunes, a string, in front of its text.
    """
    found = [(line, text) for line, text in (code.cache_linemap or ()) if text]
    if not found:
        return ()
    first = ast.parse(code.source_code).body[0]
    is_string = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    offset = (first.end_lineno or 0) if is_string else 0
    return tuple((line + offset, text) for line, text in found)


def _wrapper_obstacles(entry: Any, code: Any) -> Iterator[str]:
    """What AOTAutograd's runtime wrappers would do at each call, read off their metadata."""
    from torch._functorch._aot_autograd.schemas import OutputType, PlainTensorMeta

    metadata = entry.runtime_metadata
    if metadata.mutated_inp_runtime_indices:
        yield f"inputs {metadata.mutated_inp_runtime_indices} are mutated outside the kernel"
    if metadata.num_intermediate_bases:
        yield "outputs are views of an intermediate value"
    exact = (
        OutputType.non_alias,
        OutputType.unsafe_view_alias,
        OutputType.custom_function_view,
        OutputType.alias_of_input,
        OutputType.is_input,
    )
    for position, info in enumerate(metadata.output_info):
        if info.output_type not in exact:
            yield f"output {position} is {info.output_type.name}"
    if metadata.tokens:
        yield "ops with effects pass tokens"
    if metadata.num_graphsafe_rng_states:
        yield "random number generator states are inputs"
    if any(not isinstance(m, PlainTensorMeta) for m in metadata.subclass_inp_meta or ()):
        yield "an input is a tensor subclass"
    if entry.maybe_subclass_meta is not None:
        yield "tensor subclasses are unwrapped"
    if entry.compiled_bw is not None:
        yield "it has a backward"
    for wrapper in entry.dispatch_wrappers:
        if getattr(wrapper, "needs_post_compile", True):
            yield f"{type(wrapper).__name__} is in effect"
    if getattr(code, "torchbind_constants", None):
        yield "it holds script objects"
    if getattr(code, "frozen_param_names", None):
        yield "parameters are frozen into it"
    overlap = set(code.mutated_input_idxs or ()) & set(code.inputs_to_check or ())
    if overlap:
        yield f"inputs {sorted(overlap)} are mutated and need an alignment check"
    if getattr(code, "partition_maps", None):
        yield "its output code is partitioned for CUDA graphs"


def cpp_kernel_library(argument_types: Sequence[str], source: str) -> str:
    """Path of the extension module that Inductor built for a C++ kernel in this process.

    It is built again where the Inductor cache has lost it.
    """
    from torch._inductor.codecache import CppPythonBindingsCodeCache

    function = CppPythonBindingsCodeCache.load_pybinding(list(argument_types), source)
    module = function.__self__
    return str(module.__file__)


def extern_kernel(name: str) -> Any | None:
    """What Inductor's ``extern_kernels.NAME`` calls, or None when there is no such kernel."""
    from torch._inductor.select_algorithm import extern_kernels

    return getattr(extern_kernels, name, None)


def cpu_vector_isa() -> str:
    """The vector instruction set that Inductor chose for C++ kernels, ``avx512`` for instance."""
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    return str(pick_vec_isa())


# --- graphs whose code is written when it is asked for (torch.fx._lazy_graph_module; 2.11, 2.13) --


def lazy_graph_module(
    root: torch.nn.Module, graph: torch.fx.Graph, name: str
) -> torch.fx.GraphModule:
    """A GraphModule that writes its code when that is asked for, or when it is called.

    An ordinary one writes it when it is made, each time it changes, and each time that a parent is
    made or changes.
    """
    from torch.fx._lazy_graph_module import _LazyGraphModule

    return _LazyGraphModule(root, graph, name)


@contextlib.contextmanager
def lazy_graph_modules() -> Iterator[None]:
    """The same for what torch makes meanwhile: export's passes change a graph a dozen times."""
    from torch.fx._lazy_graph_module import _use_lazy_graph_module

    with _use_lazy_graph_module(True):
        yield


# --- the serialized FX graph (torch.fx._graph_pickler; seen on 2.11 and 2.13) ---------------------


def serialize_graph(graph_module: torch.fx.GraphModule) -> bytes:
    """An FX graph, its submodules and the fake values of its nodes, as bytes."""
    from torch.fx._graph_pickler import GraphPickler, Options

    return GraphPickler.dumps(graph_module, Options(ops_filter=None))


def why_not_stored(value: Any) -> str:
    """What the pickler of graphs says of one value of a node; nothing where it takes it."""
    from torch.fx._graph_pickler import GraphPickler, Options

    try:
        GraphPickler.dumps(value, Options(ops_filter=None))
    except Exception as error:  # noqa: BLE001 - it calls what the value brings to be pickled
        return f"{type(error).__name__}: {str(error).strip():.200}"
    return ""


def without_base(value: Any) -> Any:
    """A fake value that is no view of another one: the pickler takes no tensor's fake mode.

    `torch.fx.experimental.proxy_tensor.snapshot_fake` (seen on 2.11 and 2.13).
    """
    from torch._subclasses import FakeTensor
    from torch.fx.experimental.proxy_tensor import snapshot_fake

    if isinstance(value, FakeTensor):
        return snapshot_fake(value) if value._is_view() else value
    if type(value) in (tuple, list):
        return type(value)(map(without_base, value))
    return value


def deserialize_graph(data: bytes) -> torch.fx.GraphModule:
    """The FX graph that `serialize_graph` wrote, in a fresh fake mode."""
    from torch._subclasses import FakeTensorMode
    from torch.fx._graph_pickler import GraphPickler
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    graph_module: Any = GraphPickler.loads(data, FakeTensorMode(shape_env=ShapeEnv()))
    graph_module.recompile()
    return cast("torch.fx.GraphModule", graph_module)


# --- registered ops (torch._ops; seen on 2.11 and 2.13) ------------------------------------------


def is_op(target: Any) -> bool:
    """Whether a node's target is a registered op, one overload of it."""
    return isinstance(target, torch._ops.OpOverload)


def is_op_packet(target: Any) -> bool:
    """Whether a node's target is a registered op with its overload left open."""
    return isinstance(target, torch._ops.OpOverloadPacket)


def is_higher_order(target: Any) -> bool:
    """Whether a node's target is an op that takes graphs, ``cond`` for instance."""
    return isinstance(target, torch._ops.HigherOrderOperator)


def op_and_overload(target: Any) -> tuple[str, str]:
    """``("aten::add", "Tensor")``; an empty overload where the packet leaves it open."""
    if is_op_packet(target):
        return str(target._qualified_op_name), ""
    return str(target._schema.name), str(target._overloadname)


def is_mutating(target: Any) -> bool:
    """Whether a node's target is a registered op that writes to one of its arguments."""
    return is_op(target) and bool(target._schema.is_mutable)


def schema_arguments(target: Any) -> list[Any]:
    """What an op takes, in order; each has a ``name``, a ``type`` and a ``default_value``."""
    return list(target._schema.arguments)


def op_module(packet: Any) -> str:
    """The Python module that registered an op, "" when torch does not know.

    Every `torch.library` definition from Python leaves its module in torch's stub registry.
    """
    default = getattr(packet, packet.overloads()[0])
    module = getattr(default, "_defining_module", "") or ""
    try:
        from torch._library.custom_ops import OPDEFS

        definition = OPDEFS.get(default._schema.name)
        function = getattr(definition, "_init_fn", None)
        module = module or getattr(function, "__module__", "") or ""
    except ImportError:
        pass
    return str(module)


# --- ops without data (torch._subclasses, torch.utils._python_dispatch; seen on 2.11 and 2.13) ----


@contextlib.contextmanager
def without_data(
    on_op: Callable[[Any, tuple[Any, ...], Any], None],
) -> Iterator[None]:
    """Ops yield tensors without data; ``on_op(op, args, result)`` sees every one that runs.

    Composite ops run as what they are made of on the device that their tensors claim.
    """
    from torch._subclasses import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            on_op(func, args, result)
            return result

    watch = Watch()  # type: ignore[no-untyped-call]
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), watch:
        yield


# --- what is loaded ------------------------------------------------------------------------------


def compiler_modules_loaded() -> tuple[str, ...]:
    """Which of `torch._dynamo`, `torch._inductor` and `triton` this process has imported."""
    return tuple(
        name for name in ("torch._dynamo", "torch._inductor", "triton") if name in sys.modules
    )


# --- what a cache key is made of (seen on 2.11 and 2.13) -----------------------------------------


def is_fake(tensor: torch.Tensor) -> bool:
    """Whether a tensor has no values, only a description."""
    return bool(torch._is_functional_tensor(tensor)) or hasattr(tensor, "fake_mode")


def op_name(value: Any) -> str:
    """``mylib::attn`` for an op, its packet, or what `torch.library.custom_op` returns; else ""."""
    if isinstance(value, torch._ops.OpOverload):
        return str(value._schema.name) + f".{value._overloadname}"
    if isinstance(value, torch._ops.OpOverloadPacket):
        return str(value._qualified_op_name)
    if isinstance(value, torch.library.CustomOpDef):
        return str(value._qualname)
    return ""


def is_op_library(module: Any) -> bool:
    """Whether a module is `torch.ops`, which makes up attributes as it is asked for them."""
    return isinstance(module, torch._ops._Ops)


def mentioned_ops(names: Sequence[str]) -> list[Any]:
    """The registered ops that code may call that mentions these names, and `torch.ops`."""
    wanted = set(names)
    found = []
    for name in sorted(torch._C._dispatch_get_all_op_names()):
        namespace, _, op = name.partition("::")
        short = op.partition(".")[0]
        if namespace in wanted and short in wanted and namespace not in ("aten", "prim", "prims"):
            found.append(getattr(getattr(torch.ops, namespace), short))
    return list(dict.fromkeys(found))


def op_python_functions(value: Any) -> tuple[list[Any], str]:
    """The Python functions that implement an op, and why these are not all, "" when they are."""
    from torch._library.custom_ops import OPDEFS
    from torch._library.simple_registry import singleton

    qualified = op_name(value).partition(".")[0]
    namespace, _, name = qualified.partition("::")
    functions: list[Any] = []
    definition = OPDEFS.get(qualified)
    if definition is not None:
        functions += [definition._init_fn, definition._abstract_fn]
        functions += [f for _, f in sorted(definition._backend_fns.items(), key=str)]
    packet = getattr(getattr(torch.ops, namespace), name)
    kernel = singleton.find(qualified).fake_impl.kernel
    functions.append(getattr(kernel, "func", None))
    for overload in sorted(packet.overloads()):
        kernels = getattr(packet, overload).py_kernels
        functions += [f for _, f in sorted(kernels.items(), key=lambda item: str(item[0]))]
    prefix = f"{namespace}/{name}"
    composite = [
        key
        for key in torch.library._impls
        if key.partition(".")[0].startswith(prefix) and key.endswith("CompositeImplicitAutograd")
    ]
    unseen = f"{qualified} is a composite op whose Python torch does not give back"
    found = [f for f in functions if f is not None]
    return found, unseen if composite and namespace != "aten" else ""


def global_flags() -> dict[str, Any]:
    """Flag -> value: what changes the meaning or the code of a model for the whole process."""
    flags: dict[str, Any] = {
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "float32 matmul precision": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "deterministic algorithms only warn": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill uninitialized memory": torch.utils.deterministic.fill_uninitialized_memory,
        "inference mode": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),  # written into the C++ kernels
        "cpu capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": torch._C._get_mkldnn_enabled(),
        "mkldnn deterministic": torch._C._get_mkldnn_deterministic(),
        "cudnn": torch._C._get_cudnn_enabled(),
        "cudnn benchmark": torch._C._get_cudnn_benchmark(),
        "cudnn deterministic": torch._C._get_cudnn_deterministic(),
        "cudnn tf32": torch._C._get_cudnn_allow_tf32(),
        "cublas tf32": torch._C._get_cublas_allow_tf32(),
        "fp16 reduction": torch._C._get_cublas_allow_fp16_reduced_precision_reduction(),
        "bf16 reduction": torch._C._get_cublas_allow_bf16_reduced_precision_reduction(),
        "flash attention": torch._C._get_flash_sdp_enabled(),
        "efficient attention": torch._C._get_mem_efficient_sdp_enabled(),
        "math attention": torch._C._get_math_sdp_enabled(),
        "cudnn attention": torch._C._get_cudnn_sdp_enabled(),
        "cuda": torch.cuda.is_available(),
    }
    for device in ("cpu", "cuda"):
        enabled = torch.is_autocast_enabled(device)
        flags[f"autocast {device}"] = torch.get_autocast_dtype(device) if enabled else False
    hooks = torch.nn.modules.module
    for name in ("_global_forward_hooks", "_global_forward_pre_hooks"):
        flags[name.removeprefix("_").replace("_", " ")] = list(getattr(hooks, name).values())
    flags["function modes"] = list(torch.overrides._get_current_function_mode_stack())  # type: ignore[no-untyped-call]
    flags["dispatch modes"] = list(torch.utils._python_dispatch._get_current_dispatch_mode_stack())
    return flags


# Entries that say where to write, how to look for, or how much to tell; as Inductor's own list of
# what its cache key leaves out, without the passes in it.
_SILENT_ENTRIES = (
    "trace.",
    "worker_start_method",
    "compile_threads",
    "fx_graph_cache",
    "fx_graph_remote_cache",
    "autotune_local_cache",
    "autotune_remote_cache",
    "debug_dir_root",
    "log_file_name",
    "verbose",
    "base_dir",
    "xpu.cutlass_dir",  # where it is not set, the working directory at the time of the import
)


def changed_configuration(name: str) -> dict[str, Any]:
    """The entries of a configuration module of torch that differ from their defaults.

    The defaults are those of the environment as it is now. A module that is not imported has none
    that differ, and is not imported for that: `torch._inductor.config` takes two seconds.
    """
    module = sys.modules.get(name)
    if module is None:
        return {}
    variables = tuple(sorted((k, v) for k, v in os.environ.items() if k.isupper()))
    defaults = _default_configuration(name, variables)
    missing = object()
    return {
        entry: value
        for entry, value in module.get_config_copy().items()
        if not entry.startswith(_SILENT_ENTRIES) and not _equal(defaults.get(entry, missing), value)
    }


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


@functools.lru_cache(maxsize=16)
def _default_configuration(name: str, variables: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What a configuration module would say if it were imported now: a fresh copy of it is."""
    del variables  # what the copy reads
    original = sys.modules[name]
    alias = f"{name} (defaults)"
    spec = importlib.util.spec_from_file_location(alias, original.__file__)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
        return dict(module.get_config_copy())
    finally:
        del sys.modules[alias]


class UnhookedModule(torch.nn.Module):
    """A module whose call is its forward and nothing else: no hook runs, no global one either.

    ``_call_impl`` is what a module's call ends in (seen on 2.11 and 2.13).
    """

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


@contextlib.contextmanager
def call_replaced(module: torch.nn.Module, call: Callable[..., Any]) -> Iterator[None]:
    """While this lasts ``module(...)`` is ``call(own, ...)``, and ``own`` is its usual call.

    ``_compiled_call_impl`` is what `torch.nn.Module.compile` sets (seen on 2.11 and 2.13).
    """
    before = module.__dict__.get("_compiled_call_impl", None)
    # Not by assignment: a module may have its own idea of that.
    module.__dict__["_compiled_call_impl"] = functools.partial(call, module._call_impl)
    try:
        yield
    finally:
        module.__dict__.pop("_compiled_call_impl", None)
        if before is not None:
            module.__dict__["_compiled_call_impl"] = before


@contextlib.contextmanager
def without_assigned_buffers() -> Iterator[None]:
    """Keep export from writing assignments to buffers into the graph, while this lasts.

    It counts buffers that are None, and so writes to the wrong one (seen on 2.13). Its hook is one
    of those that `register_module_buffer_registration_hook` knows.
    """
    hooks = torch.nn.modules.module._global_buffer_registration_hooks
    kept = dict(hooks)
    for key, hook in kept.items():
        if getattr(hook, "__name__", "") == "_map_assigned_buffer_to_proxy":
            del hooks[key]
    try:
        yield
    finally:
        for key, hook in kept.items():
            hooks.setdefault(key, hook)


@contextlib.contextmanager
def cited(function: Any) -> Iterator[None]:
    """While this lasts, nodes know the lines of ``function`` they come from.

    Export notes lines of functions that are called ``forward``, and of those that it has been told
    about (``torch.fx.proxy._STACK_TRACE_ANCHORS``, seen on 2.13); where it takes none, 2.11,
    it cites none.
    """
    from torch.fx import proxy

    anchors: set[tuple[str, str]] = getattr(proxy, "_STACK_TRACE_ANCHORS", set())
    code = getattr(function, "__code__", None)
    named = {(code.co_filename, code.co_name)} - anchors if code is not None else set()
    anchors |= named
    try:
        yield
    finally:
        anchors -= named


# Loggers of torch that tell of a failing capture what its exception tells as well.
_TELLING = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")


@contextlib.contextmanager
def without_log_of_failure() -> Iterator[None]:
    """Hold back what torch logs in this thread, and drop it if the block fails.

    The loggers were seen on 2.11 and 2.13. Who asked for logs by ``TORCH_LOGS`` gets all of them.
    """
    if os.environ.get("TORCH_LOGS"):
        yield
        return
    thread, held = threading.get_ident(), []

    def hold(record: logging.LogRecord) -> bool:
        is_ours = record.thread == thread and record.levelno >= logging.WARNING
        if is_ours:
            held.append(record)
        return not is_ours

    loggers = [logging.getLogger(name) for name in _TELLING]
    for logger in loggers:
        logger.addFilter(hold)
    try:
        yield
    except BaseException:
        held.clear()
        raise
    finally:
        for logger in loggers:
            logger.removeFilter(hold)
        for record in held:
            logging.getLogger(record.name).handle(record)


# --- where a module keeps what it has (torch.nn.Module; seen on 2.11 and 2.13) -------------------


def tables_of(
    module: torch.nn.Module,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The dicts in which a module itself keeps parameters, buffers and submodules.

    Values may be None.
    """
    return module._parameters, module._buffers, module._modules


def has_pre_hooks(module: torch.nn.Module) -> bool:
    """Whether hooks of its own run before the module's forward."""
    return bool(module._forward_pre_hooks)


# --- what a tensor's memory is (torch._C; seen on 2.11 and 2.13) ---------------------------------

dispatch_keys = torch._C._dispatch_keys  # 0.4 us, and no `__torch_function__` of the tensor runs


def dispatch_key_names(tensor: torch.Tensor) -> tuple[str, ...]:
    """``("CPU", "Negative", "AutogradCPU")``: what decides which code an op on a tensor runs."""
    text = str(dispatch_keys(tensor))
    return tuple(text.partition("(")[2].rstrip(")").replace(" ", "").split(","))


def without_subclass_code() -> Any:
    """A context manager: the `__torch_function__` of tensor subclasses does not run."""
    return torch._C.DisableTorchFunctionSubclass()


def has_own_torch_function(kind: type) -> bool:
    """Whether a tensor class says itself what torch's functions do with it."""
    found = getattr(kind, "__torch_function__", None)
    usual = (torch.Tensor.__torch_function__, torch.nn.Parameter.__torch_function__)
    bare = getattr(found, "__func__", found)
    return all(bare is not getattr(known, "__func__", known) for known in usual)


def tangent_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """The tangent that forward-mode autograd keeps with a tensor, if there is one."""
    unpack: Any = torch.autograd.forward_ad.unpack_dual
    return cast("torch.Tensor | None", unpack(tensor).tangent)


_sizes = torch.Tensor.size
_strides = torch.Tensor.stride


def metadata_guard(tensors: Sequence[torch.Tensor]) -> Callable[..., bool]:
    """``guard(*others)``: whether others have types, dtypes, devices, sizes and strides of these.

    Dynamo's guard in C++ takes 0.15 us a tensor; no tensor may be given twice. It sees the mode of
    the thread, so that a guard made in inference mode holds nowhere else. It must be given sizes
    and strides: without them it reads freed memory.
    """
    kind = getattr(torch._C._dynamo.guards, "TensorGuards", None)
    if kind is None or not tensors:
        wanted = [_metadata(t) for t in tensors]
        return lambda *others: [_metadata(t) for t in others] == wanted
    guards = kind(
        *tensors,
        dynamic_dims_sizes=list(map(list, map(_sizes, tensors))),
        dynamic_dims_strides=list(map(list, map(_strides, tensors))),
    )
    check: Callable[..., bool] = guards.check
    return check


def _metadata(tensor: Any) -> tuple[Any, ...]:
    if not isinstance(tensor, torch.Tensor):
        return (type(tensor),)
    keys = dispatch_keys(tensor).raw_repr()
    if tensor.layout != torch.strided:
        return type(tensor), keys
    return type(tensor), keys, tensor.dtype, tensor.device, tensor.shape, tensor.stride()


# --- the surroundings of a call (torch._C; seen on 2.11 and 2.13) --------------------------------

_count_dispatch_modes = torch._C._len_torch_dispatch_stack
_count_function_modes = torch._C._len_torch_function_stack
_any_autocast = torch._C._is_any_autocast_enabled
_is_tracing = torch._C._is_tracing
_transform_level = torch._C._functorch.maybe_current_level
_forward_ad = torch.autograd.forward_ad


def is_plain_surroundings() -> bool:
    """Whether no mode, autocast, trace or transform is active in this thread; takes 0.3 us."""
    return not (
        _count_dispatch_modes()
        or _count_function_modes()
        or _any_autocast()
        or _is_tracing()
        or _forward_ad._current_level >= 0
        or _transform_level() is not None
    )


def is_dual_level() -> bool:
    """Whether tensors may be dual numbers of forward-mode autograd."""
    return bool(_forward_ad._current_level >= 0)


def tracer_in_charge() -> str:
    """What gives tensors without memory or writes calls down in this thread; "" for nothing."""
    if _is_tracing():
        return "torch.jit.trace"
    if _transform_level() is not None:
        interpreter: Any = torch._C._functorch.peek_interpreter_stack()
        kind = interpreter.key().name.lower()
        return f"torch.func.{kind}" if kind in ("vmap", "grad", "jvp") else "a torch.func transform"
    for mode in torch.utils._python_dispatch._get_current_dispatch_mode_stack():
        if getattr(mode, "_mode_key", None) is not None:
            return _TRACERS.get(type(mode).__name__, type(mode).__name__)
    count: Any = torch._ops._len_torch_dispatch_stack_pre_dispatch
    return "torch.export" if count() else ""


_TRACERS = {"ProxyTorchDispatchMode": "make_fx", "FunctionalTensorMode": "functionalization"}


@contextlib.contextmanager
def without_modes() -> Iterator[None]:
    """Modes of this thread that see or change every op, and default devices, do not see these."""
    modes = []
    while _count_dispatch_modes():
        modes.append(torch._C._pop_torch_dispatch_stack(None))
    try:
        with torch._C.DisableTorchFunction():
            yield
    finally:
        for mode in reversed(modes):
            torch._C._push_on_torch_dispatch_stack(mode)


def autocasts() -> dict[str, torch.dtype]:
    """The kinds of devices for which autocast is on in this thread, and what it casts to."""
    kinds = dict.fromkeys(("cpu", "cuda", torch._C._get_accelerator().type))
    return {k: torch.get_autocast_dtype(k) for k in kinds if torch.is_autocast_enabled(k)}


@contextlib.contextmanager
def without_autocast() -> Iterator[None]:
    """Autocast is off, for every kind of device."""
    active = autocasts()
    for kind in active:
        torch.set_autocast_enabled(kind, False)
    try:
        yield
    finally:
        for kind in active:
            torch.set_autocast_enabled(kind, True)


def hide_from_dynamo(function: Any, reason: str) -> None:
    """Let `torch.compile` run a function as it is: it neither traces into it nor below it.

    What `torch.compiler.disable` does, without the import of `torch._dynamo`.
    """
    function._torchdynamo_disable = True
    function._torchdynamo_disable_recursive = True
    function._torchdynamo_disable_msg = reason
    frames = torch._C._dynamo.eval_frame
    skip = frames._FrameAction.SKIP
    frames.set_code_exec_strategy(function.__code__, frames._FrameExecStrategy(skip, skip))
