"""a value that can be no part of a compiled call -> an error that says what to pass instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MappingView
from typing import Any

import torch

from ...errors import CallError, CaptureError
from ...runtime.nests import Unknown

_CACHE_HINT = "Pass use_cache=False to the model, or take the cache out of the call."


def refused_argument(unknown: Unknown) -> CallError:
    """The error for an argument that is neither a tensor, a container nor a plain value."""
    value, path = unknown.value, unknown.path
    kind = type(value)
    hint = (
        "Pass tensors, plain values, and containers of them (tuples, dicts, dataclasses, named "
        "tuples); bind anything else to the function with functools.partial."
    )
    if is_cache(value):
        hint = _CACHE_HINT
    elif kind.__module__ == "numpy":
        hint = "Pass torch.from_numpy(...) of it."
        if getattr(value, "dtype", None) is not None and value.dtype.kind not in "biufc":
            hint = "Pass a tensor of numbers instead."
    elif isinstance(value, torch.Generator):
        hint = "Draw the random numbers outside, and pass them as a tensor."
    elif isinstance(value, torch.nn.Module):
        hint = "Make it a part of the model: an attribute of the module that is compiled."
    elif isinstance(value, Iterator):
        hint = "Pass a list or tuple of what it yields: a call could use it only once."
    elif isinstance(value, (Mapping, MappingView)):
        hint = "Pass a dict or list with the same in it."
    elif any(isinstance(held, torch.Tensor) for held in getattr(value, "__dict__", {}).values()):
        hint = "Make its class a dataclass, or pass its tensors in a dict: vars(...) of it."
    elif callable(value):
        hint = "Bind it to the function with functools.partial, or make it a part of the model."
    return CallError(
        f"Argument {path} is {_described(value)}, which can be no part of a compiled call"
        f"{_because(unknown, value)}.",
        hint,
        argument=path,
        type=kind,
    )


def refused_output(unknown: Unknown) -> CaptureError:
    """The error for a result that is neither a tensor, a container nor a plain value."""
    value = unknown.value
    hint = (
        "Return tensors, plain values, and containers of them: tuples, dicts, dataclasses, named "
        "tuples."
    )
    if is_cache(value):
        hint = _CACHE_HINT
    elif type(value).__module__ == "numpy":
        hint = "Return tensors, and call .numpy() on them outside."
    elif isinstance(value, Iterator):
        hint = "Return a list or tuple of what it yields."
    where = unknown.path.replace("the result", "The result", 1)
    return CaptureError(
        f"{where} is {_described(value)}, which no compiled call can return"
        f"{_because(unknown, value)}.",
        hint,
        path=unknown.path,
        type=type(value),
    )


def is_cache(value: Any) -> bool:
    """Whether it is one of transformers' caches of keys and values."""
    return any(
        base.__name__.endswith("Cache") and base.__module__.startswith("transformers.")
        for base in type(value).__mro__
    )


def _described(value: Any) -> str:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _because(unknown: Unknown, value: Any) -> str:
    plain = f"a {type(value).__name__} has no exact data"
    return "" if unknown.why == plain else f" ({unknown.why})"
