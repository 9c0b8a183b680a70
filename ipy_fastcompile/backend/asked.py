"""mode + options of `torch.compile` -> what is asked for, or a CallError that names the refused.

Neither names nor values are passed over: what would not be done is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..cache.store import Store
from ..engine.calls.asked import check_asked
from ..errors import CallError
from ..frozen import frozen
from ..torch_compat import dynamo


@frozen
class Options:
    """What is asked for of every graph; ``inductor`` is what the mode sets in its configuration."""

    split_at: Any
    store: Store
    force: bool
    assert_warm: bool
    inductor: Mapping[str, Any]


def asked_options(mode: Any, options: Any) -> Options:
    """The options of a compile. Raises CallError or SplitError for those that are none."""
    given = {} if options is None else options
    if not isinstance(given, Mapping):
        raise CallError(
            f"options is {given!r:.60}, not a dict of options by name.", f"It may have {_NAMES}."
        )
    unknown = [name for name in given if name not in _OPTIONS]
    if unknown:
        raise CallError(
            f"options has {unknown[0]!r:.60}, which the backend fastcompile does not have.",
            f"It has {_NAMES}; Inductor is configured by torch._inductor.config.",
        )
    check_asked(given.get("split_at"), None)
    return Options(
        given.get("split_at"),
        _store(given.get("store")),
        _switch("force", given),
        _switch("assert_warm", given),
        _mode(mode),
    )


_OPTIONS = ("split_at", "store", "force", "assert_warm")
_NAMES = ", ".join(_OPTIONS)
_CUDA_GRAPHS = ("reduce-overhead", "max-autotune")
_NO_CUDA_GRAPHS = "max-autotune-no-cudagraphs"


def _store(given: Any) -> Store:
    if given is None or isinstance(given, Store):
        return given or Store()
    if isinstance(given, (str, os.PathLike)):
        return Store(given)
    raise CallError(
        f"options['store'] is {given!r:.60}, which is no Store.",
        "Pass Store(directory), or the directory.",
    )


def _switch(name: str, given: Mapping[str, Any]) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise CallError(f"options[{name!r}] is {value!r:.60}.", "Pass True or False.")
    return value


def _mode(mode: Any) -> Mapping[str, Any]:
    if mode in (None, "default"):
        return {}
    if mode in _CUDA_GRAPHS:
        raise CallError(
            f"mode={mode!r} records CUDA graphs, which an artifact cannot hold.",
            f'Leave mode out, or pass "{_NO_CUDA_GRAPHS}".',
        )
    if mode != _NO_CUDA_GRAPHS:
        raise CallError(
            f"mode={mode!r:.60} is none of the backend fastcompile's.",
            f'Leave it out, or pass "{_NO_CUDA_GRAPHS}".',
        )
    return dynamo.mode_options(mode)
