"""function + fake values -> a graph, traced quietly and undisturbed.

torch.export, make_fx, torch.fx; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from . import ops, tensor_kinds


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
    if known.numel() != 1 or tensor_kinds.is_fake(known):
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
    if not ops.is_higher_order(target) or target.name() not in _UNROLLED:
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


@contextlib.contextmanager
def fake_tensors() -> Iterator[None]:
    """Tensors without values: what is made meanwhile has a shape and a dtype, and no memory."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True), torch.no_grad():
        yield


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
