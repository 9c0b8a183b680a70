"""torch.export -> the same, undisturbed: what it prints, logs and notes as it runs.

torch.export._trace, torch.fx.proxy, hooks of torch.nn.modules.module; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch

# The threads whose partial graphs nobody wants to read.
_capturing: set[int] = set()


@contextlib.contextmanager
def without_partial_graph() -> Iterator[None]:
    """Keep `torch.export` from printing the graph it had when it fails.

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

    Who asked for logs by ``TORCH_LOGS`` gets all of them.
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
