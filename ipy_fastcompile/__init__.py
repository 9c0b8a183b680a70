"""See what compiling a PyTorch model really does, and reload the result in milliseconds.

``compile`` turns a model and its example inputs into a `CompiledModel`; ``load`` turns a saved
artifact back into a callable; ``inspect`` reads an artifact without torch. In IPython or Jupyter,
``%load_ext ipy_fastcompile`` adds ``%%fastcompile`` and its relatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["CompiledModel", "__version__", "compile", "errors", "inspect", "load"]

if TYPE_CHECKING:
    from . import errors
    from .artifact.inspect import inspect
    from .engine.pipeline import CompiledModel, compile
    from .runtime.load import load

# Where each public name lives: imported on first use, so that `%load_ext` needs no torch.
_HOMES = {
    "CompiledModel": "engine.pipeline",
    "compile": "engine.pipeline",
    "inspect": "artifact.inspect",
    "load": "runtime.load",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "errors":
        return import_module(".errors", __name__)
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
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
