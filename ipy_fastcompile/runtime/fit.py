"""artifact + this machine -> whether its kernels fit, or an error that lists all differences."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..artifact.schema import Program
from ..artifact.stamp import CPU_FLAGS, VECTOR_ISA, compare_stamps, explain
from ..errors import ArtifactIncompatible, OpMissing, warn_user
from .clock import Clock
from .machine import machine_stamp
from .request import Request


def fit(requests: Sequence[Request], clock: Clock) -> str:
    """What keeps the kernels from running here, where they are to be compiled again; "" as a rule.

    Raises ArtifactIncompatible listing all differences where they are not, or naming a dtype or a
    device that is none here, and OpMissing naming every op that a library registers and that is
    not registered here. ``requests`` are those for the programs of one artifact.
    """
    request = requests[0]
    vector_isa = _probe_vector_isa(requests)
    if vector_isa:
        clock.mark("vector isa")
    recorded = request.stamp
    current = machine_stamp(cpu_binaries=CPU_FLAGS in recorded, cuda="gpu" in recorded)
    differences = compare_stamps(recorded, current | vector_isa)
    misfit = ""
    if differences:
        path, listed = request.parts.path, explain(differences).replace("\n", "; ")
        if not request.may_recompile:
            raise ArtifactIncompatible(
                f"{path} does not fit this machine: {listed}.",
                'Compile again here, or load with on_mismatch="recompile".',
                path=path,
                differences=differences,
            )
        misfit = f"The kernels of {path} are recompiled: {listed}."
        warn_user(misfit)
    for each in requests:
        _check_ops(each.program, each.parts.path)
        _check_tensors(each.program, each.parts.path)
    return misfit


def _probe_vector_isa(requests: Sequence[Request]) -> dict[str, str]:
    """What Inductor would compile C++ for, where PyTorch's loader may; {} where it never does.

    That loader compiles C++ again where its cache does not have it, for whatever this machine
    prefers. Text written for another vector width then gives wrong numbers, or worse.
    """
    if VECTOR_ISA not in requests[0].stamp:
        return {}
    first = [kernel for request in requests for kernel in request.program.kernels]
    kernels = [e for k in first for e in (k, *(entry for _, entry in k.sizes))]
    if requests[0].via == "native" and all(kernel.native for kernel in kernels):
        return {}
    from ..torch_compat import binaries  # a native load never needs them

    try:
        return {VECTOR_ISA: binaries.cpu_vector_isa()}
    except RuntimeError:  # no compiler: nothing is compiled, and PyTorch's loader says so
        return {}


def _check_tensors(program: Program, path: str) -> None:
    """Refuse dtypes and devices that this build of torch has no name for."""
    specs = program.parameters, program.constants
    for name in {program.default_dtype or "float32", *specs[0].dtypes, *specs[1].dtypes}:
        if not isinstance(getattr(torch, name, None), torch.dtype):
            raise _unknown(path, "dtype", name)
    for name in {*specs[0].devices, *specs[1].devices}:
        try:
            torch.device(name)
        except RuntimeError:
            raise _unknown(path, "device", name) from None


def _unknown(path: str, what: str, name: str) -> ArtifactIncompatible:
    return ArtifactIncompatible(
        f"{path} needs the {what} {name!r:.60}, which this torch does not know.",
        "Load it with the torch that it was made with, or compile again here.",
        path=path,
        found=name,
    )


def _check_ops(program: Program, path: str) -> None:
    missing = []
    for op, module in program.ops.items():
        namespace, _, name = op.partition("::")
        if not hasattr(getattr(torch.ops, namespace), name.partition(".")[0]):
            missing.append(f"{op} (registered by {module or 'an unknown module'})")
    if missing:
        raise OpMissing(
            f"{path} calls ops that are not registered here: {', '.join(missing)}.",
            "Import the modules that register them first; nothing is imported for you.",
            ops=tuple(missing),
        )
