"""See what compiling a PyTorch model really does, and reload the result in milliseconds.

``compile`` turns a model and its example inputs into a `CompiledModel`, ``compile_cached`` asks the
cache first, which is a `Store`; ``preview`` says what a compile would make, split in one way or
several; ``record`` notes the calls that a model is given, for ``compile``; ``load`` turns a saved
artifact back into a callable; ``graphs`` lists what ``torch.compile`` made with
``backend="fastcompile"``; ``inspect`` reads an artifact, ours or somebody else's, without torch;
``verify`` checks one before it is shipped. In IPython or Jupyter, ``%load_ext ipy_fastcompile``
adds ``%%fastcompile`` and its relatives.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .version import __version__

__all__ = [
    "CompiledModel",
    "SplitReason",
    "Store",
    "__version__",
    "compare",
    "compile",
    "compile_cached",
    "errors",
    "graphs",
    "inspect",
    "load",
    "preview",
    "record",
    "verify",
]

if TYPE_CHECKING:
    from . import errors
    from .backend.graphs import graphs
    from .cache.cached import compile_cached
    from .cache.store import Store
    from .comparing.compare import compare
    from .engine.calls.record import record
    from .engine.compiled import CompiledModel
    from .engine.graph.boundaries import SplitReason
    from .engine.pipeline import compile
    from .foreign.inspect import inspect
    from .planning.preview import preview
    from .runtime.load import load
    from .verification.verify import verify

# Where each public name lives: imported on first use, so that `%load_ext` needs no torch.
_HOMES = {
    "CompiledModel": "engine.compiled",
    "SplitReason": "engine.graph.boundaries",
    "Store": "cache.store",
    "compare": "comparing.compare",
    "compile": "engine.pipeline",
    "compile_cached": "cache.cached",
    "graphs": "backend.graphs",
    "inspect": "foreign.inspect",
    "load": "runtime.load",
    "preview": "planning.preview",
    "record": "engine.calls.record",
    "verify": "verification.verify",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "errors":
        return import_module(".errors", __name__)
    if name in _HOMES:
        path = f".{_HOMES[name]}"
        if name == "load" and "torch" in sys.modules:  # it imports nothing else that is fragile
            home = import_module(path, __name__)
        else:
            from .interrupts import interrupts_deferred

            with interrupts_deferred():  # the engine's home imports sympy, which must not stay half
                home = import_module(path, __name__)
        value = getattr(home, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: Any) -> None:
    """What ``%load_ext ipy_fastcompile`` calls."""
    from .notebook.magics import register

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """What ``%unload_ext ipy_fastcompile`` calls."""
    from .notebook.magics import unregister

    unregister(ipython)
