"""submodule -> the bytes of its compiled kernel, and back.

torch._inductor; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from . import guards, ops, symbolic

# What a compile imports, in steps of a second or two; between any two of them all is whole.
COMPILER_MODULES = (
    "sympy",
    "torch.fx.experimental.symbolic_shapes",
    "torch._dynamo",
    "torch.export._trace",
    "torch._functorch.aot_autograd",
    "torch._inductor.compile_fx",
)


@contextlib.contextmanager
def _inference() -> Iterator[None]:
    import torch._functorch.config

    with (
        torch.no_grad(),
        torch._functorch.config.patch(autograd_cache_normalize_inputs=True),
    ):
        yield


def compile_submodule(
    graph_module: torch.fx.GraphModule,
    inputs: Sequence[Any],
    digest: str = "",
    *,
    anew: bool = False,
) -> bytes:
    """Compile a submodule by `standalone_compile(aot=True)`; the serialized artifact.

    The placeholders' and nodes' fake values are in ``node.meta["val"]``, where export puts them;
    Inductor looks for them under ``"example_value"``. ``digest`` stands for the whole graph, see
    `_cacheable_branches`. ``anew`` asks Inductor for a compile of what it has in its cache, too.
    """
    from torch._inductor import standalone_compile

    for node in graph_module.graph.nodes:
        if "val" in node.meta:
            node.meta["example_value"] = _named_by_its_symbol(node.meta["val"])
    with (
        _inference(),
        _cacheable_branches(graph_module, digest),
        _compiled_anew(inputs, anew),
        _assertions_of_its_own(graph_module),
        guards.watched_sizes(),
        guards.kept_dynamic(),
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
def _compiled_anew(inputs: Sequence[Any], asked: bool) -> Iterator[None]:
    """Keep Inductor from taking a kernel for dynamic sizes out of its cache.

    Its entry does not say which guards on sizes were recorded while it was made, and a hit records
    none; a call could then not be checked for them. The C++ libraries are still taken from theirs.
    """
    import uuid

    import torch.compiler.config

    sizes = [s for v in inputs for s in (v.shape if isinstance(v, torch.Tensor) else (v,))]
    if not asked and not any(map(symbolic.is_symbolic_int, sizes)):
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
            expressions = [
                symbolic.symbolic_expression(n) for n in sizes if symbolic.is_symbolic_int(n)
            ]
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
    branches = any(ops.is_higher_order(t) and t.name() in _BRANCHES for t in targets)
    if not branches or not digest:
        yield
        return
    branching: list[Any] = [getattr(torch.ops.higher_order, name) for name in _BRANCHES]
    before = [op._cacheable for op in branching]
    for op in branching:
        op._cacheable = True
    try:
        with torch.compiler.config.patch(cache_key_tag=digest):
            yield
    finally:
        for op, cacheable in zip(branching, before, strict=True):
            op._cacheable = cacheable


def deserialize_kernel(data: bytes) -> Callable[..., Any]:
    """The callable of a serialized artifact: PyTorch's own loader (unpickles, may compile C++)."""
    from torch._inductor.standalone_compile import AOTCompiledArtifact

    if hasattr(AOTCompiledArtifact, "deserialize"):
        return AOTCompiledArtifact.deserialize(data)
    from torch._dynamo.aot_compile_types import BundledAOTAutogradSerializableCallable

    return BundledAOTAutogradSerializableCallable.deserialize_compile_artifacts(data)


def compiler_modules_loaded() -> tuple[str, ...]:
    """Which of `torch._dynamo`, `torch._inductor` and `triton` this process has imported."""
    return tuple(
        name for name in ("torch._dynamo", "torch._inductor", "triton") if name in sys.modules
    )
