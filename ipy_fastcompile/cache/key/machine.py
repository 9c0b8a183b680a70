"""this process -> what of a key is not the model's: machine, environment, flags, configuration."""

from __future__ import annotations

import decimal
import locale
import os
import sys
from collections.abc import Iterable
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from ... import directories
from ...artifact import limits
from ...runtime.machine import machine_stamp
from ...version import __version__
from . import flags
from .walker import Walker

# Environment variables that torch, Inductor, Triton, OpenMP and the C++ compiler listen to ...
_PREFIXES = (
    "AOTINDUCTOR_",
    "ATEN_",
    "CUBLAS_",
    "CUDA_",
    "CXX",
    "INDUCTOR_",
    "KMP_",
    "MKL_",
    "NVIDIA_",
    "OMP_",
    "PYTORCH_",
    "TORCH",
    "TRITON_",
)
# ... and those that only say where something is kept or shown.
_SILENT = (
    "TORCHINDUCTOR_CACHE_DIR",
    "TORCH_COMPILE_DEBUG_DIR",
    "TORCH_EXTENSIONS_DIR",
    "TORCH_HOME",
    "TORCH_LOGS",
    "TORCH_SHOW",
    "TORCH_TRACE",
    "TRITON_CACHE_DIR",
    "TRITON_HOME",
)
INDUCTOR_CONFIGURATION = ("torch._inductor.config",)
EXPORT_CONFIGURATION = (
    "torch._export.config",
    "torch._dynamo.config",
    "torch._functorch.config",
    "torch.fx.experimental._config",
)


def stamp_text(*, cuda: bool) -> str:
    """Processor, GPU, and the versions of everything that generates code."""
    stamp = machine_stamp(cpu_binaries=True, cuda=cuda)
    lines = [f"{name} = {value}" for name, value in stamp.items() if name != "cpu_flags"]
    lines += [f"cpu_flags = {' '.join(stamp['cpu_flags'])}"]
    lines += [
        f"torch build = {torch.version.git_version}",
        f"python build = {sys.version}",
        *(f"{name} = {_version(name)}" for name in ("sympy", "triton")),
    ]
    return "\n".join(lines)


# All else decides about a compile; a change to how it is shown makes no other artifact.
_SHOWING = ("foreign", "notebook", "show")


def package_text() -> str:
    """This package: version, format, and a digest of its source, which changes between versions."""
    own = Path(directories.OWN)
    digest = sha256()
    for file in sorted(own.rglob("*.py")):
        inside = file.relative_to(own)
        if inside.parts[0] not in _SHOWING:
            digest.update(f"{inside}\n".encode())
            digest.update(file.read_bytes())
    return "\n".join(
        [
            f"version = {__version__}",
            f"format = {limits.FORMAT_VERSION}",
            f"source = {digest.hexdigest()[:16]}",
        ]
    )


def environment_text(names: Iterable[str] = ()) -> str:
    """The variables that code generation listens to, and those of ``names``, as they are now."""
    wanted = {name for name in os.environ if name.startswith(_PREFIXES)} | set(names)
    lines = [
        f"{name} = {os.environ[name]!r}" if name in os.environ else f"{name} = (not set)"
        for name in sorted(wanted)
        if not name.startswith(_SILENT)
    ]
    return "\n".join(lines)


def describe_flags(walker: Walker) -> None:
    """What `torch.set_...` and its kind change for the whole process."""
    for name, value in flags.global_flags().items():
        walker.describe(name, value)
    context = decimal.getcontext()
    numbers = (context.prec, context.rounding, context.Emin, context.Emax, context.clamp)
    traps = sorted(kind.__name__ for kind, is_on in context.traps.items() if is_on)
    walker.line("decimal context", f"{numbers} {context.capitals} {' '.join(traps)}")
    walker.line("numpy errors", f"{sorted(np.geterr().items())}")
    shown = {name: v for name, v in np.get_printoptions().items() if name != "override_repr"}
    walker.line("numpy print options", f"{sorted(shown.items(), key=str)!r}")
    walker.line("locale", locale.setlocale(locale.LC_ALL))


def describe_configuration(walker: Walker, modules: Iterable[str]) -> None:
    """What these configuration modules say other than by default, in this environment."""
    for module in modules:
        for name, value in sorted(flags.changed_configuration(module).items()):
            walker.describe(f"{module.removeprefix('torch.')}.{name}", value)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"
