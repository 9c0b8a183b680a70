"""verified bytes -> callables: extension modules and cubins, each distinct one loaded once.

Python and the dynamic linker know a library by its path, so every binary gets a path that carries
its digest, in a private directory (0700) that is gone as soon as it is loaded.
"""

from __future__ import annotations

import cmath
import contextlib
import hashlib
import importlib.machinery
import importlib.util
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import torch

from ..errors import KernelError
from ..torch_compat import output_code

Binary = bytes | memoryview
_AS_BYTES = getattr(os, "O_BINARY", 0)

# Extension modules of this process, by the digest of their bytes: a library is mapped once.
_LOADED: dict[str, ModuleType] = {}


# A file system in memory saves a millisecond; where it forbids execution, the other one serves.
_MEMORY = "/dev/shm"  # noqa: S108 - a directory of our own is made in it


@contextlib.contextmanager
def _private_directory(parent: str | None) -> Iterator[str]:
    if parent is None:
        directory = tempfile.mkdtemp(prefix="ipy_fastcompile_")  # 0700
    else:  # the same, without a generator of random names that is made at first use
        directory = os.path.join(parent, f"ipy_fastcompile_{os.urandom(8).hex()}")
        os.mkdir(directory, 0o700)  # raises where anything is there already
    try:
        yield directory
    finally:
        try:
            os.rmdir(directory)  # empty as a rule; to look through it first takes ten times as long
        except OSError:
            shutil.rmtree(directory, ignore_errors=True)


def load_libraries(binaries: Mapping[str, Binary]) -> dict[str, ModuleType]:
    """Every extension module, by the digest it is given under.

    Raises KernelError naming the binary that cannot be loaded, and the libraries it needs.
    """
    missing = {digest: data for digest, data in binaries.items() if digest not in _LOADED}
    if missing:
        output_code.provide_data_pointer_function()
        parents = [_MEMORY, None] if os.access(_MEMORY, os.W_OK | os.X_OK) else [None]
        for parent in parents:
            try:
                _load_all(missing, parent)
                break
            except KernelError:
                if parent is None:
                    raise
            except OSError as error:
                if parent is None:
                    raise KernelError(
                        f"The binaries cannot be written to a temporary directory: {error}.",
                        "Make room for them, or name another directory in TMPDIR.",
                    ) from error
    return {digest: _LOADED[digest] for digest in binaries}


def _load_all(missing: Mapping[str, Binary], parent: str | None) -> None:
    with _private_directory(parent) as directory:
        for digest, data in missing.items():
            if digest not in _LOADED:
                path = os.path.join(directory, f"{digest}.so")
                _write(path, data)
                _LOADED[digest] = _load_library(path, digest, data)
                with contextlib.suppress(OSError):  # Windows keeps what is mapped
                    os.unlink(path)


def _write(path: str, data: Binary) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_BYTES, 0o600)
    try:
        # `os.write` may write less without an error, and a mapped file that is cut kills the
        # process.
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _load_library(path: str, digest: str, data: Binary) -> ModuleType:
    name = f"{digest}.kernel"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.machinery.ModuleSpec(name, loader, origin=path)
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except (ImportError, OSError) as error:
        from .elf import needed_libraries

        raise KernelError(
            f"Binary {digest[:12]} cannot be loaded: {error}.",
            'Load with on_mismatch="recompile", or compile again on this machine.',
            digest=digest,
            needs=needed_libraries(bytes(data)),
        ) from error
    return module


def name_in_library(digest: str, name: str) -> str:
    """What a C++ kernel is called in a library of several; ``digest`` is that of what calls it."""
    return f"{digest}:{name}"


def function_of(library: ModuleType, name: str) -> Callable[..., Any]:
    """The function of a C++ kernel, by its `name_in_library`.

    A library of one kernel calls it ``kernel``. Raises KernelError where there is none.
    """
    functions = vars(library)
    function: Any = functions.get("kernel") or functions.get(name)
    if not callable(function):
        raise KernelError(
            f"Binary {library.__name__:.12} has no function {name!r:.100}.",
            "Save the artifact again.",
        )
    found: Callable[..., Any] = function
    return found


def aligned(tensor: Any) -> Any:
    """The tensor itself when its data starts at a multiple of 16 bytes, a copy otherwise.

    Triton kernels are compiled for that alignment; Inductor copies misaligned inputs, too.
    """
    if isinstance(tensor, torch.Tensor) and tensor.data_ptr() % 16:
        copy = torch.empty_strided(
            tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device
        )
        return copy.copy_(tensor)
    return tensor


def refuse_size(condition: str) -> None:
    """Raise InputError: a condition on a size that depends on data does not hold.

    A kernel checks it where the size is known, in the middle of a call.
    """
    from .unfit import unfit_size

    raise unfit_size(condition)


def kernel_namespace(functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The names that a native kernel's text may use, with the binaries' functions."""
    return {
        "__name__": "kernel",
        "torch": torch,
        "math": math,
        "inf": math.inf,
        "nan": math.nan,
        "nanj": cmath.nanj,
        "device": torch.device,
        "aligned": aligned,
        "refuse_size": refuse_size,
        **output_code.output_code_functions(),
        **functions,
    }


def digest_of(data: bytes) -> str:
    """SHA-256 of a binary, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
