"""what a model asks torch about its surroundings -> each question, with its answer.

Public functions of torch and torch.compiler; seen on 2.13. They are replaced while a model runs,
for there is no other way to see them asked.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch

# By the module that has them. Those whose answers are the same in every call are left out.
_ASKED = {
    "torch": (
        "is_grad_enabled", "is_inference_mode_enabled", "is_autocast_enabled",
        "is_autocast_cpu_enabled", "get_autocast_dtype", "get_default_dtype", "get_default_device",
        "get_num_threads", "get_num_interop_threads", "are_deterministic_algorithms_enabled",
        "get_float32_matmul_precision",
    ),
    "torch.compiler": ("is_compiling", "is_exporting", "is_dynamo_compiling"),
}  # fmt: skip

_MARK = "_fastcompile_asks_for"

# What is told of a question: its words, its answer, and the frame that asked.
Note = Callable[[str, Any, Any], None]


@contextlib.contextmanager
def noticed(note: Note) -> Iterator[None]:
    """Tell of every question that this thread asks meanwhile."""
    thread = threading.get_ident()

    def noticing(words: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def ask(*args: Any, **kwargs: Any) -> Any:
            answer = function(*args, **kwargs)
            if threading.get_ident() == thread:
                note(words, answer, sys._getframe(1))
            return answer

        vars(ask)[_MARK] = function
        return ask

    with _replaced(noticing):
        yield


@contextlib.contextmanager
def unnoticed() -> Iterator[None]:
    """Let torch's own functions be in their places meanwhile, for Dynamo knows them."""
    with _replaced(lambda _, function: getattr(function, _MARK, function)):
        yield


@contextlib.contextmanager
def _replaced(make: Callable[[str, Callable[..., Any]], Any]) -> Iterator[None]:
    kept = []
    for module_name, names in _ASKED.items():
        namespace = vars(sys.modules[module_name])
        for name in names:
            if name in namespace:
                kept.append((namespace, name, namespace[name]))
                namespace[name] = make(f"{module_name}.{name}()", namespace[name])
    try:
        yield
    finally:
        for namespace, name, function in kept:
            namespace[name] = function


# What a tensor is asked that depends on how it came to a call, not on its values.
_TENSOR: Any = torch.Tensor
_OF_TENSORS = {
    _TENSOR.requires_grad.__get__: "requires_grad",
    _TENSOR.is_leaf.__get__: "is_leaf",
    _TENSOR.grad_fn.__get__: "grad_fn",
    _TENSOR.is_inference: "is_inference()",
}


def question_of(function: Any) -> str:
    """The words for what a function, as a mode is given it, asks of a tensor; "" for others."""
    return _OF_TENSORS.get(function, "")


def asking_frame() -> Any:
    """The frame that called what a function mode sees: the one above the mode's method."""
    return sys._getframe(2)
