"""programs -> Packed: the manifest and members of an artifact, still in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import torch

from ..artifact.schema import Manifest, Model, Program, TensorSpecs, read_programs
from ..artifact.schema.write import manifest_data
from ..artifact.squeeze import squeeze
from ..artifact.stamp import VECTOR_ISA
from ..errors import ArtifactCorrupt, SaveError
from ..runtime import bind
from ..runtime.machine import machine_stamp
from ..runtime.nests import named_types, read_nest
from ..runtime.type_names import is_importable
from ..torch_compat import binaries, ops as torch_ops
from .calls.captured import Captured
from .code.codegen import ExecutionCode
from .code.stored import store_code_of
from .graph.stored_graph import serialized
from .kernels.handed import as_views
from .kernels.link import link_kernels
from .kernels.lowered import Kernel
from .kernels.native import BUILTIN_NAMESPACES
from .kernels.pack import Shared, add_blob, pack_kernel
from .program import CompiledProgram
from .sizes.phrases import condition_records
from .specs import (
    example_leaf,
    signature_of,
    stored_tensors,
    symbols_of,
    tensor_spec,
    ties_of,
)

_EXECUTION = "execution.py"


@dataclass(frozen=True, repr=False)
class Packed:
    """An artifact in memory; `ipy_fastcompile.runtime.load.load_parts` reads it like a file."""

    manifest: dict[str, Any]
    members: dict[str, bytes]
    timings: dict[str, float]
    path: str = "this compile"
    types: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<artifact of {self.path}, {len(self.members)} members>"

    def read(self, name: str) -> bytes:
        """The content of a member."""
        try:
            return self.members[name]
        except KeyError:
            raise ArtifactCorrupt(f"There is no member {name!r}.", "Compile again.") from None

    def view(self, name: str) -> memoryview:
        """The same without a copy."""
        return memoryview(self.read(name))

    def digest_of(self, name: str) -> str:
        """The SHA-256 of the content of a member."""
        return sha256(self.read(name)).hexdigest()


def check_result_types(parts: Packed) -> None:
    """Refuse to save what no other process could return.

    Raises SaveError naming a type of the result that is local to a function.
    """
    programs = read_programs(parts.manifest, parts.path)
    texts = [text for program in programs if "<" in (text := program.signature.out_tree)]
    for name in [name for text in texts for name in named_types(read_nest(json.loads(text)))]:
        if is_importable(name):
            continue
        raise SaveError(
            f"The result holds a {name.replace(':', '.')}, a type that is local to a function, "
            "which a load in another process cannot find.",
            "Define it at the top of a module, and compile again.",
            type=name,
        )


def pack(programs: Sequence[CompiledProgram]) -> Packed:
    """Put everything that any reload path needs into members, and describe it in a manifest.

    Members of the programs after the first have a folder each; kernels that programs share are
    those of the first of them.
    """
    members: dict[str, bytes] = {}
    shared: Shared = {}
    linked = link_kernels(_every(k for program in programs for k in program.lowered.kernels))
    entries = tuple(
        _program(program, f"programs/{position}/" if position else "", members, shared, linked)
        for position, program in enumerate(programs)
    )
    first = programs[0].captured
    manifest = Manifest(
        model=Model(
            name=first.model_name,
            parameters=len({p.name for program in programs for p in program.captured.parameters}),
            submodules=sum(len(program.split_graph.submodules) for program in programs),
        ),
        stamp=_stamp(programs),
        programs=entries,
        ops_called=tuple(sorted({op for program in programs for op in _ops(program)})),
    )
    types = {name: kind for p in programs for name, kind in p.captured.types.items()}
    return Packed(manifest_data(manifest), members, {"read": 0.0, "verify": 0.0}, types=types)


def _ops(program: CompiledProgram) -> list[str]:
    """The ops that the generated texts of a program call."""
    natives = (op for kernel in _every(program.lowered.kernels) for op in _native_ops(kernel))
    return sorted({*program.code.ops, *natives})


def _program(
    program: CompiledProgram,
    folder: str,
    members: dict[str, bytes],
    shared: Shared,
    linked: Mapping[str, bytes],
) -> Program:
    lowered, code, captured = program.lowered, program.code, program.captured
    memory = captured.memory
    execution = f"{folder}{_EXECUTION}"
    members[execution] = code.text.encode()
    texts = {execution: "execution code"}
    kernels = tuple(
        pack_kernel(
            kernel,
            f"{folder}kernels/{kernel.index}",
            f"submod_{kernel.submodules[0]}",
            members,
            texts,
            shared,
            linked,
        )
        for kernel in lowered.kernels
    )
    nodes = {n.name: n for n in lowered.split.graph_module.graph.nodes}
    used = [p for p in captured.parameters if nodes[p.placeholder].users]
    conditions = condition_records((*lowered.conditions, *lowered.of_data), captured.names)
    ops = [op for op in _ops(program) if op.split("::")[0] not in BUILTIN_NAMESPACES]
    return Program(
        name=program.name,
        model=captured.model_name,
        signature=signature_of(captured, used),
        symbols=symbols_of(captured),
        conditions=tuple(condition.words for condition in conditions),
        parameters=TensorSpecs.of(
            tensor_spec(p.name, p.kind, nodes[p.placeholder].meta["val"]) for p in used
        ),
        views=as_views(
            {
                n: lowered.views[node.name]
                for n, node in enumerate(nodes[p.placeholder] for p in used)
                if node.name in lowered.views
            }
        ),
        ties=ties_of(captured),
        written=tuple(p.name for p in used if p.placeholder in memory.written),
        written_inputs=tuple(
            i for i, spec in enumerate(captured.inputs) if spec.placeholder in memory.written
        ),
        default_dtype=memory.default_dtype,
        stored=_store_tensors(captured, code, members),
        constants=TensorSpecs.of(
            tensor_spec(f"constant {i}", "constant", t) for i, t in enumerate(code.constants)
        ),
        kernels=kernels,
        ops={op: _registrar(op) for op in ops},
        execution=execution,
        code=add_blob(members, squeeze(store_code_of(members, texts))),
        python=bind.python_tag(),
        fx=add_blob(members, squeeze(serialized(lowered.split.graph_module))),
        example=tuple(map(example_leaf, captured.example_leaves)),
        hooks=captured.hooks,
        training=captured.training,
        autocast=captured.autocast,
        stitched={f"submod_{i}": k for i, k in enumerate(lowered.kernel_of) if k is not None},
    )


def _store_tensors(captured: Captured, code: ExecutionCode, members: dict[str, bytes]) -> str:
    """The member of the tensors that a model may not have, "" where there are none."""
    stored = stored_tensors(captured, code.constants)
    if not stored:
        return ""
    from safetensors.torch import save

    return add_blob(members, save(stored))


def _stamp(programs: Sequence[CompiledProgram]) -> dict[str, Any]:
    """What the artifact needs of a machine."""
    kernels = [kernel for program in programs for kernel in program.lowered.kernels]
    natives = [kernel.native for kernel in kernels if kernel.native]
    has_cubins = any(native.cubins for native in natives)
    stamp = machine_stamp(
        cpu_binaries=any(native.libraries for native in natives),
        cuda=has_cubins or any(_device(p.captured).type == "cuda" for p in programs),
    )
    if any("async_compile.cpp" in k.parts.output_code for k in _every(kernels)):
        stamp[VECTOR_ISA] = binaries.cpu_vector_isa()
    return stamp


def _device(captured: Captured) -> torch.device:
    for node in captured.graph_module.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.device.type != "cpu":
            return value.device
    return torch.device("cpu")


def _registrar(op: str) -> str:
    """The module that registered an op, as far as the op itself tells."""
    namespace, _, name = op.partition("::")
    packet = getattr(getattr(torch.ops, namespace), name.partition(".")[0])
    return torch_ops.op_module(packet)


def _every(kernels: Iterable[Kernel]) -> list[Kernel]:
    """The kernels and their variants for fixed sizes."""
    return [k for kernel in kernels for k in (kernel, *kernel.sizes.values())]


def _native_ops(kernel: Kernel) -> Iterable[str]:
    return kernel.native.ops if kernel.native else ()
