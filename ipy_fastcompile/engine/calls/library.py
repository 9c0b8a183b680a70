"""code, class or object -> whether it is a library's, whose globals are its own affair."""

from __future__ import annotations

import functools
import os
import queue
import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

import torch

from ... import directories

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_DIRECTORIES = [Path(sysconfig.get_path(name)) for name in _PATHS]
_DIRECTORIES += [Path(directories.TORCH), Path(directories.OWN)]
_LIBRARIES = tuple({str(directory.resolve()) + os.sep for directory in _DIRECTORIES})
_PACKAGE = __name__.partition(".")[0]
# What Python and torch.fx call code that is in no file, and is not the user's.
_NO_FILES = ("<frozen ", "<eval_with_key>", "<attrs generated")


@functools.cache
def is_library(file: str | None) -> bool:
    """Whether a file is of an installed package, of Python or of torch; None is Python's own."""
    if not file or file.startswith(_NO_FILES):
        return True
    return not file.startswith("<") and str(Path(file).resolve()).startswith(_LIBRARIES)


def is_own(value: Any) -> bool:
    """Whether a function or class is this package's."""
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == _PACKAGE


def file_of(cls: type) -> str | None:
    """The file that defines a class; a name without a directory where it is in no file."""
    if cls.__module__ == "__main__":
        return "<main>"
    return getattr(sys.modules.get(cls.__module__), "__file__", None)


def is_library_object(value: Any) -> bool:
    """Whether an object's state is left alone: Python's, NumPy's, torch's.

    Modules are no such objects, nor are queues.
    """
    if isinstance(value, (torch.nn.Module, types.SimpleNamespace, queue.Queue)):
        return False
    root = str(type(value).__module__).partition(".")[0]
    return root in sys.stdlib_module_names or root in ("torch", "numpy")
