"""configuration module of torch -> its entries that differ from their defaults.

``get_config_copy`` of torch.utils._config_module; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from typing import Any


def changed_entries(name: str) -> dict[str, Any]:
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
        if not _equal(defaults.get(entry, missing), value)
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
