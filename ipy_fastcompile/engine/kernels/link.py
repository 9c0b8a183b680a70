"""kernels -> one library that has the C++ of all of them; {} where none can be linked.

A load then maps one library. Those that are built one by one are mostly the same: names, line
tables, and what each page is padded with.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...errors import KernelError
from ...runtime.kernels import digest_of, function_of, load_libraries, name_in_library
from ...torch_compat import objects
from .lowered import Kernel
from .native import Built
from .table import MAKER, maker_of, table_of

# `-s` leaves out what only debuggers read. Inline variables of C++ are the one kind of symbol that
# stays global (STB_GNU_UNIQUE); of several definitions the first one counts, as it does for what
# is loaded one by one. Nothing but the table is seen from outside.
_FLAGS = ("-s", "-Wl,-z,muldefs", "-Wl,--as-needed")
_EXPORTS = "{ global: PyInit_kernel; local: *; };"


def link_kernels(kernels: Iterable[Kernel]) -> Mapping[str, bytes]:
    """The library that has the function of a C++ kernel, by the function's name in it.

    Those that are missing have a library of their own: where Inductor kept no object file, since
    it had built the kernel before, and all of them where there is no linker.
    """
    found: dict[str, Built] = {}
    differing: set[str] = set()
    for kernel in kernels:
        for built in kernel.native.libraries if kernel.native else ():
            name = name_in_library(kernel.digest, built.name)
            if found.setdefault(name, built).library != built.library:
                differing.add(name)
    chosen = {
        name: built.compiled
        for name, built in found.items()
        if built.compiled and name not in differing
    }
    if not chosen:
        return {}
    try:
        library = _linked(chosen)
        digest = digest_of(library)
        module = load_libraries({digest: library})[digest]
        for name in chosen:
            function_of(module, name)
    except (OSError, RuntimeError, subprocess.SubprocessError, KernelError):
        return {}  # no linker, another one, or one that refuses: what is there already works
    return dict.fromkeys(chosen, library)


def library_of(kernel: Kernel, built: Built, linked: Mapping[str, bytes]) -> bytes:
    """The library that an artifact has for one of a kernel's C++ kernels."""
    return linked.get(name_in_library(kernel.digest, built.name), built.library)


def _linked(functions: Mapping[str, bytes]) -> bytes:
    distinct = list(dict.fromkeys(functions.values()))
    with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as name:
        folder = Path(name)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            folders = [folder] * len(distinct)
            parts = list(pool.map(_made_local, distinct, range(len(distinct)), folders))
        table, exports = folder / "table.cpp", folder / "exports"
        table.write_text(table_of({name: distinct.index(data) for name, data in functions.items()}))
        exports.write_text(_EXPORTS)
        flags = (*_FLAGS, f"-Wl,--version-script={exports}")
        return objects.link("kernels", [table, *parts], flags, folder)


def _made_local(compiled: bytes, position: int, folder: Path) -> Path:
    """An object file of which nothing but its maker can be seen, under a name of its own.

    Two kernels may have templates of one name that differ, and the linker would keep one of them:
    it knows them by their groups, and their symbols are weak.
    """
    given, made = folder / f"{position}.o", folder / f"local_{position}.o"
    given.write_bytes(compiled)
    maker = maker_of(position)
    command = (
        "objcopy",
        "--strip-unneeded",
        "--remove-section=.group",
        f"--redefine-sym={MAKER}={maker}",
        f"--keep-global-symbol={maker}",
        str(given),
        str(made),
    )
    subprocess.run(command, check=True, capture_output=True)
    return made
