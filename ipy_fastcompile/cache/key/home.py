"""file or module -> whose code it is: the user's, an installed package's, or torch's and Python's.

The user's code is part of a key by its text, a package by its version and what was reached in it,
torch and the standard library by their versions.
"""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from pathlib import Path
from types import CodeType
from typing import Any

from ... import directories
from ...frozen import frozen

USER = "user"
PACKAGE = "package"
LIBRARY = "library"

CELLS = "cells"
GENERATED = "generated"


@frozen
class Home:
    """Where code lives.

    ``owner`` is `USER`, `PACKAGE` or `LIBRARY`; ``name`` the file as its importer knows it
    ("helpers.py", "pkg/layers.py"), `CELLS` for a notebook's, `GENERATED` for code without a
    file, and for a package its top-level module. ``file`` is the path, "" without one.
    """

    owner: str
    name: str
    file: str = ""


_LAYERS = f"{directories.TORCH}nn{os.sep}"
_TORCH = Home(LIBRARY, "torch")
_PYTHON = Home(LIBRARY, "python")
_OWN = Home(LIBRARY, "ipy_fastcompile")


def home_of_function(code: CodeType, scope: dict[str, Any]) -> Home:
    """Whose a function is, from its code and its globals."""
    module = scope.get("__name__")
    return _home(code.co_filename, module if isinstance(module, str) else "")


def home_of_module(name: str) -> Home:
    """Whose the module of this name is; if it is not imported, its name decides."""
    module = sys.modules.get(name)
    said = getattr(module, "__dict__", {})  # a module may have a __getattr__ of its own
    file = said.get("__file__")
    if isinstance(file, str):
        return _home(file, name)
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return _PYTHON
    if top == "torch":
        return _TORCH
    paths = list(said.get("__path__", ()))  # a namespace package
    return _home(f"{paths[0]}/__init__.py", name) if paths else Home(USER, _file_name(name, ""))


def home_of_class(cls: type) -> Home:
    """Whose a class is, from the module that it says it is of."""
    module: Any = cls.__module__  # a class may say anything
    return home_of_module(module if isinstance(module, str) else "")


def home_of_file(file: str, module: str) -> Home:
    """Whose the code in a file is that nobody has imported."""
    return _home(file, module)


def is_layer_file(file: str) -> bool:
    """Whether a file holds layers of torch: thin code around ops, where patches are looked for."""
    return file.startswith(_LAYERS) and ("modules" in file or file.endswith("functional.py"))


def top_level(name: str) -> str:
    """``numpy`` for ``numpy.linalg``."""
    return name.partition(".")[0]


_TORCH_PACKAGES = frozenset({"torch", "functorch", "torchgen"})


@functools.cache
def _roots() -> tuple[tuple[str, Home | None], ...]:
    """(directory, whose code is in it; None for installed packages), the innermost first."""
    paths = sysconfig.get_paths()
    packages = {*site.getsitepackages(), site.getusersitepackages()}
    found: dict[str, Home | None] = dict.fromkeys({*packages, paths["purelib"], paths["platlib"]})
    found[directories.TORCH.rstrip(os.sep)] = _TORCH
    found[directories.OWN.rstrip(os.sep)] = _OWN
    for name in ("stdlib", "platstdlib"):
        found.setdefault(paths[name], _PYTHON)
    resolved = {str(Path(directory).resolve()): home for directory, home in found.items()}
    return tuple(sorted({**resolved, **found}.items(), key=lambda root: -len(root[0])))


@functools.cache
def _home_below_roots(file: str) -> Home | None:
    """Of an installed file; None for files that are the user's own."""
    for root, home in _roots():
        if not file.startswith(root + os.sep):
            continue
        if home is not None:
            return home
        first = file[len(root) + 1 :].partition(os.sep)[0]
        name = first.removesuffix(".py").partition(".")[0]
        return _TORCH if name in _TORCH_PACKAGES else Home(PACKAGE, name, file)
    return None


@functools.cache
def _is_absolute(file: str) -> bool:
    return Path(file).is_absolute()


def _home(file: str, module: str) -> Home:
    if file.startswith("<frozen"):
        return _PYTHON
    if not _is_absolute(file):
        return _home_without_file(file, module)
    installed = _home_below_roots(file)
    if installed is not None:
        return installed
    if module == "__main__" and getattr(sys.modules[module], "__file__", None) != file:
        return Home(USER, CELLS, file)
    return Home(USER, _file_name(module, file), file)


def _home_without_file(file: str, module: str) -> Home:
    """Of code that was generated, or typed in: its module decides."""
    if module == "__main__":
        return Home(USER, CELLS, file)
    if top_level(module) in _TORCH_PACKAGES:
        return _TORCH
    known = sys.modules.get(module)
    origin = getattr(known, "__dict__", {}).get("__file__")
    if isinstance(origin, str) and _is_absolute(origin):
        home = _home(origin, module)
        return home if home.owner != USER else Home(USER, home.name, file)
    if known is not None and top_level(module) in sys.stdlib_module_names:
        return _PYTHON
    return Home(USER, GENERATED, file)


def _file_name(module: str, file: str) -> str:
    """``pkg/layers.py`` for the module pkg.layers; the last part of the path for scripts."""
    path = Path(file)
    if not module or module == "__main__":
        return path.name or GENERATED
    parts = module.split(".")
    if path.stem == "__init__":
        parts.append("__init__")
    return "/".join(parts) + ".py"
