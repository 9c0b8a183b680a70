"""C++ kernels that Inductor builds -> their object files, and one library linked from several.

torch._inductor.cpp_builder; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# How Inductor names the source of a kernel; what it builds to probe a machine ends otherwise.
_SOURCE = ".main.cpp"


@contextlib.contextmanager
def kept_objects() -> Iterator[None]:
    """Let Inductor compile each C++ kernel to an object file first, which stays by its library.

    It compiles and links in one step otherwise, and a library cannot be linked into another.
    """
    if sys.platform != "linux":
        yield
        return
    from torch._inductor.cpp_builder import CppBuilder

    builder: Any = CppBuilder
    original = builder.build

    def build(self: Any) -> None:
        if not (self._do_link and self._sources_args.endswith(_SOURCE)):
            original(self)
            return
        options = copy.copy(self._build_option)
        options._compile_only = True
        compiling = CppBuilder(self._name, self._sources_args, options, self._output_dir)
        original(compiling)
        made = compiling.get_target_file_path()
        original(CppBuilder(self._name, made, self._build_option, self._output_dir))

    builder.build = build
    try:
        yield
    finally:
        builder.build = original


def object_of(library: str) -> bytes:
    """The object file that a kernel's library was linked from; empty where none was kept."""
    path = Path(library).with_suffix(".o")
    return path.read_bytes() if path.is_file() else b""


def link(name: str, sources: Sequence[Path], flags: Sequence[str], folder: Path) -> bytes:
    """A shared library of C++ sources and object files, linked as Inductor links a kernel's.

    Raises RuntimeError, or OSError, where there is no compiler or it does not succeed.
    """
    from torch._inductor.codecache import CppPythonBindingsCodeCache
    from torch._inductor.cpp_builder import CppBuilder, CppTorchDeviceOptions

    options = CppTorchDeviceOptions(
        device_type="cpu",
        extra_flags=list(flags),
        **CppPythonBindingsCodeCache.cpp_compile_command_flags,
    )
    builder = CppBuilder(name, list(map(str, sources)), options, str(folder))
    builder.build()
    return Path(builder.get_target_file_path()).read_bytes()
