"""what a caller passes to compile -> the same in the types that the engine takes, or a CallError.

All that can be known before anything is captured is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ...errors import CallError, SplitError
from .calls import Calls


def asked_call(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments. Raises CallError for what is no tuple or no dict."""
    if args is None:
        args = ()
    if not isinstance(args, (tuple, list)) or isinstance(args, torch.Size):
        one = "the tensor" if isinstance(args, torch.Tensor) else f"the {type(args).__name__}"
        hint = f"Write ({one},) for a single argument, with the comma."
        if isinstance(args, Calls):
            hint = "Pass what record gives by name: calls=calls."
        elif isinstance(args, Mapping):
            hint = "Arguments by name belong into kwargs: compile(model, (), {...})."
        elif isinstance(args, Iterator):
            hint = "Make a tuple of what it yields: a call could use it only once."
        raise CallError(f"args is a {type(args).__name__}, not a tuple of arguments.", hint)
    if kwargs is None:
        kwargs = {}
    if not isinstance(kwargs, Mapping):
        raise CallError(
            f"kwargs is a {type(kwargs).__name__}, not a dict of arguments by name.",
            'Write {"name": value}, or put the arguments into args.',
        )
    for name in kwargs:
        if not isinstance(name, str):
            raise CallError(
                f"kwargs has the key {name!r:.60}, which is no name of an argument.",
                'Write {"name": value}.',
            )
    return tuple(args), dict(kwargs)


def asked_sizes(sizes: Any) -> dict[str, list[int]]:
    """The sizes that get kernels of their own. Raises CallError for what is no list of sizes."""
    if sizes is None:
        return {}
    example = 'Write {"seq": [1, 16]}.'
    if not isinstance(sizes, Mapping):
        raise CallError(f"sizes is {sizes!r:.60}, not a dict of dimensions.", example)
    found: dict[str, list[Any]] = {}
    for name, values in sizes.items():
        if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
            raise CallError(f"sizes[{name!r}] is {values!r:.60}, not a list of sizes.", example)
        found[name] = list(values)
        for value in found[name]:
            if not isinstance(value, int) or isinstance(value, bool):
                raise CallError(f"sizes[{name!r}] has {value!r:.60}, which is no size.", example)
    return found


def asked_runs(runs: Any) -> int:
    """How many calls are timed. Raises CallError for what is no number of 1 or more."""
    if type(runs) is not int or runs < 1:
        raise CallError(f"runs is {runs!r:.40}.", "Pass how many calls count, 1 or more.")
    return runs


def check_asked(split_at: Any, progress: Any) -> None:
    """Raise SplitError or CallError for options of another type than they have."""
    names = () if split_at is None or callable(split_at) else split_at
    names = (names,) if isinstance(names, str) else names
    if not hasattr(names, "__iter__") or not all(isinstance(name, str) for name in names):
        raise SplitError(
            f"split_at is {split_at!r:.60}, which is neither names of ops nor a function.",
            'Write "aten::scaled_dot_product_attention", a list of such names, or a function '
            "Node -> SplitReason | None.",
        )
    if progress is not None and not callable(progress):
        raise CallError(
            f"progress is {progress!r:.60}, which cannot be called.",
            "Pass a function of a records.Progress, or leave it out.",
        )
