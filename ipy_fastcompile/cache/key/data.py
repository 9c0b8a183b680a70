"""value of a type that Python's library or torch brings -> lines, where its text is known."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import operator
import os
import re
import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch

from .handler import Handler, has_parts, is_exactly, says
from .walker import Walker

_LOCKS = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
)
_PICKERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_GENERATOR_CONTEXT = type(contextlib.contextmanager(lambda: iter(()))())


def _logger(walker: Walker, path: str, value: Any, _depth: int) -> None:
    """It shows, and changes nothing; the user's code may ask it how much it shows, though."""
    walker.line(path, f"{type(value).__name__} {value.name}")
    if not walker.in_package and isinstance(value, logging.Logger):
        flags = (value.level, value.getEffectiveLevel(), value.disabled, value.propagate)
        walker.line(f"{path}, level", f"{flags} {len(value.handlers)} {value.manager.disable}")


def _environment(walker: Walker, path: str, _value: Any, _depth: int) -> None:
    walker.miss(path, "it is the environment, and which variables are read is not known")


def _context_variable(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, f"context variable {value.name}")
    try:
        current = value.get()
    except LookupError:  # never set, and without a default
        walker.line(f"{path}.get()", "not set")
    else:
        walker.describe(f"{path}.get()", current, depth + 1)


def _weak_reference(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, "weak reference")
    walker.describe(f"{path}()", value(), depth + 1)


def _picker(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, "picker")
    for position, part in enumerate(value.__reduce__()[:2]):
        walker.describe(f"{path}.{position}", part, depth + 1)


def _graph(walker: Walker, path: str, value: Any, depth: int) -> None:
    walker.line(path, f"graph {value}")
    for node in value.nodes:
        if node.op == "call_function":
            walker.describe(f"{path}.{node.name}", node.target, depth + 1)


def _is_sympy(value: Any) -> bool:
    return any(base.__module__ == "sympy.core.basic" for base in type(value).__mro__)


def _is_of(module: str) -> Callable[[Any], bool]:
    return lambda value: type(value).__module__ == module


DATA = (
    Handler((re.Pattern,), says(lambda value: f"pattern {value.pattern!r} {value.flags}")),
    Handler((logging.Logger, logging.LoggerAdapter, logging.Handler), _logger),
    Handler((type(os.environ),), _environment),
    Handler((contextvars.ContextVar,), _context_variable),
    # Its generator starts anew at every use.
    Handler((_GENERATOR_CONTEXT,), has_parts("context manager", "func", "args", "kwds")),
    Handler(_LOCKS, says(lambda _value: "lock")),
    Handler((weakref.ReferenceType,), _weak_reference, when=is_exactly(weakref.ReferenceType)),
    Handler(_PICKERS, _picker),
    Handler(
        (torch.export.Dim,),
        says(lambda value: f"Dim {value.__name__} {value.min} {value.max}"),
        when=is_exactly(torch.export.Dim),
    ),
    Handler((object,), says(lambda value: f"sympy {value!r}"), when=_is_sympy),
    Handler(
        (object,),
        says(lambda value: f"placement {value!r}"),
        when=_is_of("torch.distributed.tensor.placement_types"),
    ),
    Handler((object,), says(lambda value: f"typing {value!r}"), when=_is_of("typing")),
    Handler((torch.fx.Graph,), _graph),
)
