"""Lowered + ExecutionCode -> Packed: the manifest and members of an artifact, still in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import torch

from ..artifact import blob_name
from ..artifact.schema import (
    KernelEntry,
    Launch,
    Library,
    Manifest,
    Model,
    Program,
    TensorSpecs,
    read_program,
)
from ..artifact.schema.write import manifest_data
from ..artifact.squeeze import squeeze
from ..artifact.stamp import VECTOR_ISA
from ..errors import ArtifactCorrupt, SaveError
from ..grammar.check import check_grammar
from ..runtime import bind
from ..runtime.cuda import launch_text
from ..runtime.machine import machine_stamp
from ..runtime.nests import named_types, read_nest
from ..runtime.type_names import is_importable
from ..torch_compat import binaries, ops as torch_ops
from ..torch_compat.launches import CudaLaunch
from .calls.captured import Captured
from .code.codegen import ExecutionCode
from .code.stored import store_code_of
from .graph.stored_graph import serialized
from .kernels.lowered import Kernel, Lowered
from .kernels.native import BUILTIN_NAMESPACES
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


@dataclass(frozen=True)
class Packed:
    """An artifact in memory; `ipy_fastcompile.runtime.load.load_parts` reads it like a file."""

    manifest: dict[str, Any]
    members: dict[str, bytes]
    timings: dict[str, float]
    path: str = "this compile"
    types: Mapping[str, Any] = field(default_factory=dict)

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
    text = read_program(parts.manifest, parts.path).signature.out_tree
    nest = read_nest(json.loads(text)) if "<" in text else None
    for name in named_types(nest):
        if is_importable(name):
            continue
        raise SaveError(
            f"The result holds a {name.replace(':', '.')}, a type that is local to a function, "
            "which a load in another process cannot find.",
            "Define it at the top of a module, and compile again.",
            type=name,
        )


def pack(lowered: Lowered, code: ExecutionCode) -> Packed:
    """Put everything that any reload path needs into members, and describe it in a manifest."""
    captured = lowered.split.captured
    members: dict[str, bytes] = {_EXECUTION: code.text.encode()}
    texts = {_EXECUTION: "execution code"}
    kernels = tuple(
        _pack_kernel(k, f"kernels/{k.index}", f"submod_{k.submodules[0]}", members, texts)
        for k in lowered.kernels
    )
    native_ops = (op for kernel in _every(lowered.kernels) for op in _native_ops(kernel))
    ops = sorted({*code.ops, *native_ops})
    manifest = Manifest(
        model=Model(
            name=captured.model_name,
            parameters=len(captured.parameters),
            submodules=len(lowered.split.submodules),
        ),
        stamp=_stamp(lowered),
        program=_program(lowered, code, kernels, ops, members, texts),
        ops_called=tuple(ops),
    )
    timings = {"read": 0.0, "verify": 0.0}
    return Packed(manifest_data(manifest), members, timings, types=captured.types)


def _program(
    lowered: Lowered,
    code: ExecutionCode,
    kernels: tuple[KernelEntry, ...],
    ops: Iterable[str],
    members: dict[str, bytes],
    texts: Mapping[str, str],
) -> Program:
    captured, memory = lowered.split.captured, lowered.split.captured.memory
    nodes = {n.name: n for n in lowered.split.graph_module.graph.nodes}
    used = [p for p in captured.parameters if nodes[p.placeholder].users]
    conditions = condition_records((*lowered.conditions, *lowered.of_data), captured.names)
    return Program(
        model=captured.model_name,
        signature=signature_of(captured, used),
        symbols=symbols_of(captured),
        conditions=tuple(condition.words for condition in conditions),
        parameters=TensorSpecs.of(
            tensor_spec(p.name, p.kind, nodes[p.placeholder].meta["val"]) for p in used
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
        ops={op: _registrar(op) for op in ops if op.split("::")[0] not in BUILTIN_NAMESPACES},
        execution=_EXECUTION,
        code=_add_blob(members, squeeze(store_code_of(members, texts))),
        python=bind.python_tag(),
        fx=_add_blob(members, squeeze(serialized(lowered.split.graph_module))),
        example=tuple(map(example_leaf, captured.example_leaves)),
        stitched={f"submod_{i}": k for i, k in enumerate(lowered.kernel_of) if k is not None},
    )


def _add_blob(members: dict[str, bytes], data: bytes) -> str:
    name = blob_name(data)
    members[name] = data
    return name


def _store_tensors(captured: Captured, code: ExecutionCode, members: dict[str, bytes]) -> str:
    """The member of the tensors that a model may not have, "" where there are none."""
    stored = stored_tensors(captured, code.constants)
    if not stored:
        return ""
    from safetensors.torch import save

    return _add_blob(members, save(stored))


def _stamp(lowered: Lowered) -> dict[str, Any]:
    """What the artifact needs of a machine."""
    natives = [kernel.native for kernel in lowered.kernels if kernel.native]
    has_cubins = any(native.cubins for native in natives)
    stamp = machine_stamp(
        cpu_binaries=any(native.libraries for native in natives),
        cuda=has_cubins or _device(lowered.split.captured).type == "cuda",
    )
    if any("async_compile.cpp" in k.parts.output_code for k in _every(lowered.kernels)):
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


# --- kernels -------------------------------------------------------------------------------------


def _every(kernels: Iterable[Kernel]) -> list[Kernel]:
    """The kernels and their variants for fixed sizes."""
    return [k for kernel in kernels for k in (kernel, *kernel.sizes.values())]


def _native_ops(kernel: Kernel) -> Iterable[str]:
    return kernel.native.ops if kernel.native else ()


def _pack_kernel(
    kernel: Kernel, folder: str, submodule: str, members: dict[str, bytes], texts: dict[str, str]
) -> KernelEntry:
    """A kernel with its variants. Its texts go into ``folder``, what they are into ``texts``."""
    entry = KernelEntry(
        name=f"kernel_{kernel.index}",
        digest=kernel.digest,
        native=kernel.native is not None,
        why=kernel.why,
        text="",
        libraries=(),
        launches=(),
        torch=_add_blob(members, squeeze(kernel.data)),
        submodule=submodule,
    )
    if kernel.native is None:
        # A native kernel's text says what runs; the report has Inductor's, C++ included.
        members[f"{folder}/output_code.py"] = kernel.parts.output_code.encode()
    else:
        text = f"{folder}/native.py"
        members[text] = kernel.native.code.encode()
        texts[text] = entry.name
        entry = replace(
            entry,
            text=text,
            libraries=tuple(
                Library(name, _add_blob(members, data)) for name, data in kernel.native.libraries
            ),
            launches=tuple(_launch(cubin, members) for cubin in kernel.native.cubins),
        )
    variants = []
    for named, variant in kernel.sizes.items():
        inner = f"{folder}/{'_'.join(f'{name}{size}' for name, size in named)}"
        sizes = tuple(size for _, size in named)
        variants.append((sizes, _pack_kernel(variant, inner, submodule, members, texts)))
    return replace(entry, sizes=tuple(variants))


def _launch(cubin: CudaLaunch, members: dict[str, bytes]) -> Launch:
    launch = Launch(**{**vars(cubin), "cubin": _add_blob(members, cubin.cubin)})
    check_grammar(launch_text(launch), "launcher", kernel=True)
    return launch
