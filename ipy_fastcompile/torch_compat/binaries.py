"""this machine -> the binaries that Inductor's code calls.

torch._inductor; seen on 2.11 and 2.13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import objects


def cpp_kernel_library(argument_types: Sequence[str], source: str) -> str:
    """Path of the extension module that Inductor built for a C++ kernel in this process.

    It is built again where the Inductor cache has lost it.
    """
    from torch._inductor.codecache import CppPythonBindingsCodeCache

    with objects.kept_objects():
        function = CppPythonBindingsCodeCache.load_pybinding(list(argument_types), source)
    module = function.__self__
    return str(module.__file__)


def extern_kernel(name: str) -> Any | None:
    """What Inductor's ``extern_kernels.NAME`` calls, or None when there is no such kernel."""
    from torch._inductor.select_algorithm import extern_kernels

    return getattr(extern_kernels, name, None)


def cpu_vector_isa() -> str:
    """The vector instruction set that Inductor chose for C++ kernels, ``avx512`` for instance."""
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    return str(pick_vec_isa())
