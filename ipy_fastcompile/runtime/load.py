"""artifact + model -> callable, along one of three paths: fit -> kernels -> bind.

- ``native``: execution code + bundled binaries; no FX graph, no Dynamo, no Inductor;
- ``torch``: execution code + PyTorch's own loader for every kernel (vLLM #40151);
- ``fx``: the split FX graph, deserialized, runs PyTorch's kernels (before vLLM #40151).

Order: open -> container -> trust -> manifest -> stamp -> ops -> members this path reads, verified
-> only then exec and dlopen, from the bytes that were verified.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import torch

from ..artifact import open_artifact
from ..artifact.schema import read_manifest
from ..errors import FastCompileError
from . import bind, modes
from .clock import Clock
from .fit import fit
from .flat import FlatFunction
from .follow import Follower
from .functions import binder
from .loaded import LoadedFunction
from .parameters import Source, find_parameters
from .request import Origin, Request, check_options, origin_of
from .signature import CallTree
from .texts import CodeOf, code_reader
from .ways import GraphOf, Kernel, decode_graph, load_kernels

if TYPE_CHECKING:
    from .parts import Parts


def load(
    file: str | os.PathLike[str],
    model: Source,
    *,
    via: str = "native",
    trust: str | None = None,
    on_mismatch: str = "error",
) -> LoadedFunction:
    """Load a saved artifact: a warm reload.

    The function follows its model. What is written to the model's tensors is seen. Where a tensor
    is replaced (`load_state_dict` with ``assign=True``, an assignment, another submodule,
    ``.data``, ``.to()``, ``.half()``), the next call uses the new one if it fits the artifact, and
    raises ParameterError naming it if it does not. So it is with tensors that are plain attributes
    of its modules and only read; those in lists, closures and globals are as they were when it was
    compiled. A mapping is bound as it is now. The model is not kept alive: when it is gone, the
    function goes on with what it had.

    A call computes what was compiled, whatever is on around it: autocast, default devices and modes
    that watch or rewrite ops are set aside for the call; `torch.compile` runs it as it is. Where
    calls are recorded or transformed (`make_fx`, `torch.export`, `torch.jit.trace`, `torch.func`),
    and under `FakeTensorMode`, it raises InputError.

    Parameters
    ----------
    file:
        The artifact.
    model:
        Where the weights come from, by parameter name: a module, or a mapping of names to tensors.
    via:
        The reload path: ``"native"``, ``"torch"`` or ``"fx"``.
    trust:
        None for artifacts of this user; ``"sha256:..."`` pins exactly that file.
    on_mismatch:
        What to do with kernels that do not fit this machine: ``"error"``, or ``"recompile"`` from
        the FX graph that the artifact holds, with a warning.

    Returns
    -------
    A function that is called like the model. Where the artifact has several programs, a call runs
    the one that it fits; ``programs`` has each of them as a function of its own, by name.

    Raises
    ------
    ArtifactNotFound, ArtifactCorrupt, ArtifactUntrusted
        The file is not there, damaged, or of unknown origin.
    ArtifactIncompatible
        It does not fit this machine; the message lists all differences.
    ParameterError, OpMissing, TreeTypeMissing
        The model or the process lacks something that the artifact needs, by name.
    KernelError, LowerError
        A kernel cannot be loaded here, or not be recompiled; the message names it.
    """
    check_options(via, on_mismatch)
    parts = open_artifact(file, trust=trust)
    origin = origin_of(load_again, file, trust, on_mismatch, parts.common.members)
    return load_parts(parts, model, via=via, on_mismatch=on_mismatch, origin=origin)


def load_parts(
    parts: Parts,
    model: Source,
    *,
    via: str = "native",
    on_mismatch: str = "error",
    with_tree: bool = True,
    types: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
) -> LoadedFunction:
    """The same for parts that were opened already. ``with_tree=False`` gives flat outputs.

    ``types`` are types of containers that need not be looked for, by name.
    """
    with modes.alone("load", FastCompileError):
        clock = Clock(parts)
        manifest = read_manifest(parts.manifest, parts.path)
        requests = [
            Request(parts, program, manifest.stamp, via, on_mismatch)
            for program in manifest.programs
        ]
        clock.mark("manifest")
        misfit = fit(requests, clock)
        clock.mark("manifest")
        graphs = [cache(partial(decode_graph, request)) for request in requests]
        if via == "fx":
            for graph_of in graphs:
                graph_of()  # first of all: a damaged one is refused before any code is decoded
            clock.mark("graph")
        code_of = code_reader(requests)
        clock.mark("read")
        known: dict[str, Kernel] = {}
        only = len(requests) == 1
        functions = [
            _load_program(
                request, model, misfit, graph_of, code_of, known, clock, with_tree, types,
                origin if only else None,
            )
            for request, graph_of in zip(requests, graphs, strict=True)
        ]  # fmt: skip
        timings = clock.finish()
        if only:
            functions[0].timings = timings
            return functions[0]
        from .loaded_programs import LoadedPrograms

        return LoadedPrograms(functions, manifest.programs, timings=timings, origin=origin)


def _load_program(
    request: Request,
    model: Source,
    misfit: str,
    graph_of: GraphOf,
    code_of: CodeOf,
    known: dict[str, Kernel],
    clock: Clock,
    with_tree: bool,
    types: Mapping[str, Any] | None,
    origin: Origin | None,
) -> LoadedFunction:
    """One program, bound to the model; see `load_kernels` for ``known``."""
    program = request.program
    stored = _stored_tensors(request)
    clock.mark("read")
    kernels = load_kernels(request, misfit, code_of, graph_of, known)
    clock.mark("kernels")
    namespace = bind.execution_namespace(code_of(program.execution, "execution code"))
    clock.mark("exec")
    constants = find_parameters(None, program.constants, stored).tensors
    bind_to = binder(request, namespace, kernels, graph_of)
    follower = Follower(model, program, stored, bind_to, kernels.functions, constants)
    clock.mark("parameters")
    signature = program.signature if with_tree else replace(program.signature, out_kind="tuple")
    flat = FlatFunction(CallTree(signature, types), follower, program.default_dtype)
    clock.mark("bind")
    return LoadedFunction(
        flat,
        via=request.via,
        program=program,
        timings={},
        notes=(misfit, *kernels.notes) if misfit else kernels.notes,
        kernel_ways=kernels.ways,
        origin=origin,
    )


def _stored_tensors(request: Request) -> dict[str, torch.Tensor]:
    if not request.program.stored:
        return {}
    from .stored import read_tensors  # many artifacts have none

    return read_tensors(request.parts.read(request.program.stored))


def load_again(
    path: str,
    trust: str,
    via: str,
    on_mismatch: str,
    weights: Mapping[str, torch.Tensor],
    _types: Mapping[str, Any],
) -> LoadedFunction:
    """What a pickle calls: exactly the same file, loaded with the weights that it holds.

    The types are there so that unpickling them imports their modules.
    """
    return load(path, weights, via=via, trust=trust, on_mismatch=on_mismatch)
