"""kernels of an artifact -> callables, each along its way: native, through torch, or recompiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from ..artifact.schema import KernelEntry
from ..errors import ArtifactIncompatible, FastCompileError, KernelError, LowerError, warn_user
from ..frozen import NamedTuple, frozen
from . import bind
from .handed import FromWeights
from .kernels import function_of, kernel_namespace, load_libraries, name_in_library
from .request import Request
from .texts import CodeOf

Kernel = Callable[..., Any]
GraphOf = Callable[[], torch.fx.GraphModule]


@frozen
class Kernels:
    """The kernels of a program, in its order.

    ``by_size`` has those for fixed sizes, ``ways`` the way of each kernel, ``notes`` what a user
    should know of them. ``as_packed``: none is recompiled, so that they take weights as was packed.
    """

    functions: tuple[Kernel, ...]
    by_size: Mapping[tuple[int, ...], tuple[Kernel, ...]]
    ways: tuple[str, ...]
    notes: tuple[str, ...]
    as_packed: bool


class _Loaded(NamedTuple):
    function: Kernel
    way: str
    note: str = ""


def load_kernels(
    request: Request,
    misfit: str,
    code_of: CodeOf,
    graph_of: GraphOf,
    known: dict[str, Kernel],
) -> Kernels:
    """Load every kernel; all are recompiled from the graph where there is a ``misfit``.

    ``known`` are the kernels that other programs of this load have, by the member that each is
    read from; those of this one are added.

    Raises KernelError naming one that does not load, and LowerError one that does not compile.
    """
    entries = request.program.kernels
    if misfit:
        load_one = partial(_recompile, graph_of)
    else:
        load_one = partial(_load_one, request, code_of, graph_of, known)
    loaded = [load_one(entry) for entry in entries]
    # A text trusts that other kernels of the program lay out their results as they did.
    if len({each.way == "recompiled" for each in loaded}) > 1:
        again = [_recompile(graph_of, entry) for entry in entries]
        loaded = [new._replace(note=old.note) for new, old in zip(again, loaded, strict=True)]
    fixed: dict[tuple[int, ...], list[_Loaded]] = {}
    for position, kernel in enumerate([] if misfit or request.via == "fx" else entries):
        for sizes, entry in kernel.sizes:
            fixed.setdefault(sizes, []).append(load_one(entry))
            if len(fixed[sizes]) != position + 1:
                raise KernelError(f"{kernel.name} has no kernel for {sizes}.", "Save it again.")
    every = [*loaded, *(each for row in fixed.values() for each in row)]
    return Kernels(
        tuple(each.function for each in loaded),
        {sizes: tuple(each.function for each in row) for sizes, row in fixed.items()},
        tuple(each.way for each in loaded),
        tuple(each.note for each in every if each.note),
        request.via == "native" and all(each.way != "recompiled" for each in every),
    )


def _load_one(
    request: Request,
    code_of: CodeOf,
    graph_of: GraphOf,
    known: dict[str, Kernel],
    entry: KernelEntry,
) -> _Loaded:
    note = ""
    try:
        if request.via == "native" and entry.native:
            if entry.text not in known:
                known[entry.text] = _native(request, code_of, entry)
            return _Loaded(known[entry.text], "native")
        if request.via == "native":
            note = f"{entry.name} takes PyTorch's loader: {entry.why}"
        if entry.torch not in known:
            known[entry.torch] = _through_torch(request, entry)
        return _Loaded(known[entry.torch], "torch", note)
    except KernelError as error:
        if not request.may_recompile:
            raise
        note = f"{entry.name} is recompiled: {error.what}"
        warn_user(note)
        return _recompile(graph_of, entry)._replace(note=note)


def _native(request: Request, code_of: CodeOf, entry: KernelEntry) -> Kernel:
    parts = request.parts
    code = code_of(entry.text, entry.name)
    loaded = load_libraries({m.rpartition("/")[2]: parts.view(m) for _, m in entry.libraries})
    functions = {
        name: function_of(loaded[m.rpartition("/")[2]], name_in_library(entry.digest, name))
        for name, m in entry.libraries
    }
    if entry.launches:
        from .cuda import load_launches

        functions |= load_launches(entry.launches, parts.read)
    namespace = bind.run_code(code, kernel_namespace(functions))
    kernel: Kernel | None = namespace.get(entry.name)
    if not callable(kernel):
        raise KernelError(
            f"{entry.text} of {parts.path} defines no function {entry.name!r:.60}.",
            "Save the artifact again.",
            kernel=entry.name,
        )
    if entry.views:
        return FromWeights(kernel, entry.views)
    return kernel


def _through_torch(request: Request, entry: KernelEntry) -> Kernel:
    from ..torch_compat import inductor  # the native path counts in ms, and never needs it

    data = request.unsqueezed(entry.torch)
    try:
        return inductor.deserialize_kernel(data)
    except FastCompileError:
        raise
    except Exception as error:  # PyTorch's loader runs a compiler and unpickles: anything comes
        from .advice import what_helps

        raise KernelError(
            f"PyTorch's loader failed on {entry.name}: {_told(error)}.",
            what_helps(entry, error),
            kernel=entry.name,
        ) from error


def _recompile(graph_of: GraphOf, entry: KernelEntry) -> _Loaded:
    from .fallback import recompile

    graph = graph_of()
    try:
        return _Loaded(recompile(graph, entry), "recompiled")
    except Exception as error:  # Inductor runs a compiler: anything comes
        raise LowerError(
            f"{entry.name} cannot be compiled on this machine: {_told(error)}.",
            "Install the compiler, or load where the artifact was made.",
            kernel=entry.name,
        ) from error


def decode_graph(request: Request) -> torch.fx.GraphModule:
    """The split FX graph of an artifact, decoded, which unpickles it."""
    from ..torch_compat import stored_graphs

    data = request.unsqueezed(request.program.fx)
    try:
        graph: torch.fx.GraphModule = stored_graphs.deserialize_graph(data)
    except Exception as error:  # it imports what the model's libraries had when it was saved
        raise ArtifactIncompatible(
            f"The FX graph of {request.parts.path} cannot be decoded here: {_told(error)}.",
            "Load along the native path, or compile again here.",
            path=request.parts.path,
        ) from error
    return graph


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip():.300}"
