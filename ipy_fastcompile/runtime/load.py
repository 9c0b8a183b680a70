"""artifact + model -> callable, along one of three paths.

- ``native``: execution code + bundled binaries; no FX graph, no Dynamo, no Inductor;
- ``torch``: execution code + PyTorch's own loader for every kernel (vLLM #40151);
- ``fx``: the split FX graph, deserialized, runs PyTorch's kernels (before vLLM #40151).

Order: open -> container -> trust -> manifest -> stamp -> ops -> members this path reads, verified
-> only then exec and dlopen, from the bytes that were verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import torch
from safetensors.torch import load as load_tensors

from ..artifact import open_artifact
from ..artifact.schema import KernelEntry, Program, read_program
from ..artifact.squeeze import unsqueeze
from ..artifact.stamp import CPU_FLAGS, VECTOR_ISA, compare_stamps, explain
from ..errors import (
    ArtifactIncompatible,
    FastCompileError,
    KernelError,
    LowerError,
    OpMissing,
    warn_user,
)
from ..torch_compat import binaries as torch_binaries, inductor, stored_graphs
from . import bind, modes
from .advice import what_helps
from .again import origin_of
from .cuda import load_launches
from .follow import Bound, Follower
from .kernels import kernel_namespace, load_libraries
from .loaded import LoadedFunction
from .machine import machine_stamp
from .parameters import Source, find_parameters
from .signature import CallTree

PATHS = ("native", "torch", "fx")


class Parts(Protocol):
    """Where a program is read from: a file that was opened, or a compile of this process."""

    @property
    def path(self) -> str:
        """What messages call it."""

    @property
    def manifest(self) -> dict[str, Any]:
        """`manifest.json` as data."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent so far: ``read`` and ``verify``."""

    def read(self, name: str) -> bytes:
        """The verified content of a member."""

    def view(self, name: str) -> memoryview:
        """The same without a copy."""


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
    if via not in PATHS:
        raise FastCompileError(
            f"via is {via!r}, which is no reload path.", f"Use one of {', '.join(PATHS)}."
        )
    if on_mismatch not in ("error", "recompile"):
        raise FastCompileError(f"on_mismatch is {on_mismatch!r}.", 'Use "error" or "recompile".')
    parts = open_artifact(file, trust=trust)
    function = load_parts(parts, model, via=via, on_mismatch=on_mismatch)
    function.origin = origin_of(file, trust, on_mismatch, parts.manifest)
    return function


def load_parts(
    parts: Parts,
    model: Source,
    *,
    via: str = "native",
    on_mismatch: str = "error",
    with_tree: bool = True,
    types: Mapping[str, Any] | None = None,
) -> LoadedFunction:
    """The same for parts that were opened already. ``with_tree=False`` gives flat outputs.

    ``types`` are types of containers that need not be looked for, by name.
    """
    with modes.alone("load", FastCompileError):
        return _load_parts(parts, model, via, on_mismatch, with_tree, types)


def _load_parts(
    parts: Parts,
    model: Source,
    via: str,
    on_mismatch: str,
    with_tree: bool,
    types: Mapping[str, Any] | None,
) -> LoadedFunction:
    clock = _Clock(parts)
    program = read_program(parts.manifest, parts.path)
    loader = _Loader(parts, program, via, on_mismatch)
    clock.mark("manifest")
    if loader.probe_vector_isa():
        clock.mark("vector isa")
    loader.check_machine()
    loader.check_ops()
    clock.mark("manifest")
    follower = loader.load(model, clock)
    signature = program.signature if with_tree else {**program.signature, "out_kind": "tuple"}
    function = LoadedFunction(
        CallTree(signature, types),
        follower,
        via=via,
        model=program.model,
        default_dtype=program.default_dtype,
    )
    clock.mark("bind")
    function.timings = clock.finish()
    function.notes = tuple(loader.notes)
    function.kernel_ways = tuple(loader.ways)
    return function


class _Clock:
    """Seconds by step; hashing done while members are read counts as ``verify``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._steps: dict[str, float] = {}
        self._verify = parts.timings.get("verify", 0.0)
        self._last = perf_counter()

    def mark(self, step: str) -> None:
        now = perf_counter()
        verify = self._parts.timings.get("verify", 0.0)
        spent = now - self._last - (verify - self._verify)
        self._steps[step] = self._steps.get(step, 0.0) + spent
        self._verify, self._last = verify, now

    def finish(self) -> dict[str, float]:
        read = self._parts.timings.get("read", 0.0) + self._steps.pop("read", 0.0)
        return {"read": read, "verify": self._verify, **self._steps}


class _Loader:
    """One load: what it reads, and what it has to tell afterwards."""

    def __init__(self, parts: Parts, program: Program, via: str, on_mismatch: str) -> None:
        self.parts = parts
        self.program = program
        self.via = via
        self.on_mismatch = on_mismatch
        self.notes: list[str] = []
        self.ways: list[str] = []
        self.recompile = False
        self._codes: dict[str, Any] | None = None
        self._graph: Any = None
        self._vector_isa: dict[str, str] = {}

    def warn(self, text: str) -> None:
        self.notes.append(text)
        warn_user(text)

    def _unsqueezed(self, member: str) -> bytes:
        return unsqueeze(self.parts.read(member), member)

    # --- does it fit -----------------------------------------------------------------------------

    def probe_vector_isa(self) -> bool:
        """Ask what Inductor would compile C++ for, where PyTorch's loader may; whether it did.

        That loader compiles C++ again where its cache does not have it, for whatever this machine
        prefers. Text written for another vector width then gives wrong numbers, or worse.
        """
        kernels = [e for k in self.program.kernels for e in (k, *(entry for _, entry in k.sizes))]
        if VECTOR_ISA not in self.program.stamp:
            return False
        if self.via == "native" and all(kernel.native for kernel in kernels):
            return False
        try:
            self._vector_isa = {VECTOR_ISA: torch_binaries.cpu_vector_isa()}
        except RuntimeError:  # no compiler: nothing is compiled, and PyTorch's loader says so
            return False
        return True

    def check_machine(self) -> None:
        """Compare the artifact's stamp with this machine's; all differences at once."""
        recorded = self.program.stamp
        current = machine_stamp(cpu_binaries=CPU_FLAGS in recorded, cuda="gpu" in recorded)
        differences = compare_stamps(recorded, {**current, **self._vector_isa})
        if not differences:
            return
        listed = explain(differences).replace("\n", "; ")
        if self.on_mismatch == "error":
            raise ArtifactIncompatible(
                f"{self.parts.path} does not fit this machine: {listed}.",
                'Compile again here, or load with on_mismatch="recompile".',
                path=self.parts.path,
                differences=differences,
            )
        self.recompile = True
        self.warn(f"The kernels of {self.parts.path} are recompiled: {listed}.")

    def check_ops(self) -> None:
        """Refuse when an op that a library registers is not registered here, naming all."""
        missing = []
        for op, module in self.program.ops.items():
            namespace, _, name = op.partition("::")
            if not hasattr(getattr(torch.ops, namespace), name.partition(".")[0]):
                missing.append(f"{op} (registered by {module or 'an unknown module'})")
        if missing:
            raise OpMissing(
                f"{self.parts.path} calls ops that are not registered here: {', '.join(missing)}.",
                "Import the modules that register them first; nothing is imported for you.",
                ops=tuple(missing),
            )

    # --- the parts -------------------------------------------------------------------------------

    def load(self, model: Source, clock: _Clock) -> Follower:
        program = self.program
        text = self.parts.read(program.execution)
        stored = self._stored_tensors()
        clock.mark("read")
        if self.via == "fx":
            self._decode_graph()
            clock.mark("graph")
        kernels = [self._kernel(entry) for entry in program.kernels]
        variants = self._variants()
        clock.mark("kernels")
        constants = find_parameters(None, program.constants, stored).tensors
        code = self._code(program.execution, text, "execution code")
        namespace = bind.execution_namespace(code)
        clock.mark("exec")

        forward = self._stitched() if self.via == "fx" else None
        make = partial(_bound, namespace, variants, forward)
        follower = Follower(model, program, stored, make, kernels, constants)
        clock.mark("parameters")
        return follower

    def _stored_tensors(self) -> dict[str, torch.Tensor]:
        if not self.program.stored:
            return {}
        return dict(load_tensors(self.parts.read(self.program.stored)))

    def _code(self, member: str, text: bytes, kind: str) -> Any:
        """The compiled text: as stored when this Python wrote it, else compiled now."""
        source = text.decode("utf-8", "replace")
        if self._codes is None:
            same = self.program.python == bind.python_tag() and self.program.code
            self._codes = bind.stored_code(self._unsqueezed(self.program.code)) if same else {}
        code = self._codes.get(member)
        filename = bind.text_filename(kind, source)
        if code is None or code.co_filename != filename:
            code = bind.compile_text(source, kind)
        bind.register_text(filename, source)
        return code

    # --- kernels ---------------------------------------------------------------------------------

    def _variants(self) -> dict[tuple[int, ...], list[Callable[..., Any]]]:
        """Kernels for fixed sizes: sizes -> one callable per kernel."""
        fixed: dict[tuple[int, ...], list[Callable[..., Any]]] = {}
        if self.via == "fx" or self.recompile:
            return fixed
        for position, kernel in enumerate(self.program.kernels):
            for sizes, entry in kernel.sizes:
                fixed.setdefault(sizes, []).append(self._load_kernel(entry)[0])
                if len(fixed[sizes]) != position + 1:
                    raise KernelError(f"{kernel.name} has no kernel for {sizes}.", "Save it again.")
        return fixed

    def _kernel(self, entry: KernelEntry) -> Callable[..., Any]:
        function, way = self._load_kernel(entry)
        self.ways.append(way)
        return function

    def _load_kernel(self, entry: KernelEntry) -> tuple[Callable[..., Any], str]:
        if self.recompile:
            return self._recompiled(entry), "recompiled"
        if self.via == "native" and entry.native:
            try:
                return self._native(entry), "native"
            except KernelError as error:
                if self.on_mismatch == "error":
                    raise
                self.warn(f"{entry.name} is recompiled: {error.what}")
                return self._recompiled(entry), "recompiled"
        if self.via == "native":
            self.notes.append(f"{entry.name} takes PyTorch's loader: {entry.why}")
        try:
            return inductor.deserialize_kernel(self._unsqueezed(entry.torch)), "torch"
        except FastCompileError:
            raise
        except Exception as error:  # PyTorch's loader runs a compiler and unpickles: anything comes
            if self.on_mismatch == "recompile":
                self.warn(f"{entry.name} is recompiled: {type(error).__name__}: {error}")
                return self._recompiled(entry), "recompiled"
            raise KernelError(
                f"PyTorch's loader failed on {entry.name}: {type(error).__name__}: "
                f"{str(error).strip():.300}.",
                what_helps(entry, error),
                kernel=entry.name,
            ) from error

    def _native(self, entry: KernelEntry) -> Callable[..., Any]:
        binaries = {m.rpartition("/")[2]: self.parts.view(m) for _, m in entry.libraries}
        loaded = load_libraries(binaries)
        functions = {name: loaded[m.rpartition("/")[2]] for name, m in entry.libraries}
        functions |= load_launches(entry.launches, self.parts.read)
        code = self._code(entry.text, self.parts.read(entry.text), entry.name)
        namespace = bind.run_code(code, kernel_namespace(functions))
        kernel: Callable[..., Any] = namespace[entry.name]
        return kernel

    def _recompiled(self, entry: KernelEntry) -> Callable[..., Any]:
        from .fallback import recompile

        if self._graph is None:
            self._decode_graph()
        try:
            return recompile(self._graph, entry)
        except Exception as error:  # Inductor runs a compiler: anything comes
            raise LowerError(
                f"{entry.name} cannot be compiled on this machine: {type(error).__name__}: "
                f"{str(error).strip():.300}.",
                "Install the compiler, or load where the artifact was made.",
                kernel=entry.name,
            ) from error

    # --- the fx path -----------------------------------------------------------------------------

    def _decode_graph(self) -> None:
        data = self._unsqueezed(self.program.fx)
        try:
            self._graph = stored_graphs.deserialize_graph(data)
        except Exception as error:  # it imports what the model's libraries had when it was saved
            raise ArtifactIncompatible(
                f"The FX graph of {self.parts.path} cannot be decoded here: "
                f"{type(error).__name__}: {str(error).strip():.300}.",
                "Load along the native path, or compile again here.",
                path=self.parts.path,
            ) from error

    def _stitched(self) -> _Stitched:
        """Run the deserialized split graph, its compiled children replaced by kernels."""
        from .stitched import stitched_forward

        return partial(stitched_forward, self._graph, self.program)


_Stitched = Callable[[Sequence[Callable[..., Any]], Sequence[torch.Tensor]], Callable[..., Any]]


def _bound(
    namespace: Mapping[str, Any],
    variants: Mapping[tuple[int, ...], Sequence[Callable[..., Any]]],
    stitched: _Stitched | None,
    parts: bind.ExecutionParts,
) -> Bound:
    """The functions of a load over one set of tensors; it keeps nothing of the artifact's bytes."""
    function = bind.bind_again(namespace, *parts)
    if stitched is not None:
        return Bound(function.check_inputs, stitched(parts.kernels, parts.parameters), {})
    by_size = {
        sizes: bind.bind_again(namespace, kernels, parts.parameters, parts.constants).forward
        for sizes, kernels in variants.items()
    }
    return Bound(function.check_inputs, function.forward, by_size)
