"""Lowered + ExecutionCode -> Packed: the manifest and members of an artifact, still in memory."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch.fx import Node

from ..artifact import blob_name
from ..artifact.squeeze import squeeze
from ..artifact.stamp import VECTOR_ISA
from ..errors import ArtifactCorrupt, SaveError
from ..grammar.check import check_grammar
from ..runtime import bind
from ..runtime.cuda import launch_text
from ..runtime.machine import machine_stamp
from ..runtime.nests import named_types, read_nest
from ..runtime.signature import describe_call
from ..runtime.type_names import is_importable
from ..torch_compat import binaries, ops as torch_ops, symbols as torch_symbols
from .calls.captured import Captured, ParameterSpec
from .code.codegen import ExecutionCode
from .code.stored import store_code_of
from .graph.stored_graph import serialized
from .kernels.lower import Kernel, Lowered
from .kernels.native import BUILTIN_NAMESPACES
from .sizes.expressions import size_text
from .sizes.phrases import condition_records


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


def check_result_types(parts: Packed) -> None:
    """Refuse to save what no other process could return.

    Raises SaveError naming a type of the result that is local to a function.
    """
    text = parts.manifest["program"]["signature"]["out_tree"]
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
    members: dict[str, bytes] = {"execution.py": code.text.encode()}
    texts = {"execution.py": "execution code"}
    entries = [_pack_kernel(k, members, texts) for k in lowered.kernels]
    stored = _stored_tensors(captured, code)
    stored_name = ""
    if stored:
        from safetensors.torch import save

        stored_name = _add_blob(members, save(stored))
    fx = serialized(lowered.split.graph_module)
    ops = sorted({*code.ops, *(op for k in lowered.kernels for op in _native_ops(k))})
    nodes = {n.name: n for n in lowered.split.graph_module.graph.nodes}
    used = [p for p in captured.parameters if nodes[p.placeholder].users]
    program = {
        "model": captured.model_name,
        "signature": _signature(captured, used),
        "symbols": [[s.name, s.min, s.max, s.example] for s in captured.symbols],
        "conditions": [
            condition.words
            for condition in condition_records(
                (*lowered.conditions, *lowered.of_data), captured.names
            )
        ],
        "parameters": [_parameter_row(nodes[p.placeholder], p) for p in used],
        **_memory(captured, used),
        "stored": stored_name,
        "constants": [
            _tensor_row(f"constant {i}", "constant", t) for i, t in enumerate(code.constants)
        ],
        "kernels": entries,
        "ops": {op: _registrar(op) for op in ops if op.split("::")[0] not in BUILTIN_NAMESPACES},
        "execution": "execution.py",
        "code": _add_blob(members, squeeze(store_code_of(members, texts))),
        "python": bind.python_tag(),
        "fx": _add_blob(members, squeeze(fx)),
        "example": _example_rows(captured),
        "stitched": [f"submod_{i} {k}" for i, k in enumerate(lowered.kernel_of) if k is not None],
    }
    has_cubins = any(k.native and k.native.cubins for k in lowered.kernels)
    has_libraries = any(k.native and k.native.libraries for k in lowered.kernels)
    stamp = machine_stamp(
        cpu_binaries=has_libraries, cuda=has_cubins or _device(captured).type == "cuda"
    )
    if any(_writes_cpp(k) for kernel in lowered.kernels for k in (kernel, *kernel.sizes.values())):
        stamp[VECTOR_ISA] = binaries.cpu_vector_isa()
    manifest = {
        "model": {
            "name": captured.model_name,
            "parameters": len(captured.parameters),
            "submodules": len(lowered.split.submodules),
        },
        "stamp": stamp,
        "program": program,
        "ops_called": ops,
    }
    return Packed(manifest, members, {"read": 0.0, "verify": 0.0}, types=captured.types)


def _add_blob(members: dict[str, bytes], data: bytes) -> str:
    name = blob_name(data)
    members[name] = data
    return name


def _native_ops(kernel: Kernel) -> list[str]:
    every = (kernel, *kernel.sizes.values())
    return [op for k in every if k.native for op in k.native.ops]


def _writes_cpp(kernel: Kernel) -> bool:
    return "async_compile.cpp" in kernel.parts.output_code


# --- kernels -------------------------------------------------------------------------------------


def _pack_kernel(
    kernel: Kernel, members: dict[str, bytes], texts: dict[str, str]
) -> dict[str, Any]:
    folder = f"kernels/{kernel.index}"
    entry = _pack_one(kernel, folder, members, texts)
    entry["submodule"] = f"submod_{kernel.submodules[0]}"
    entry["sizes"] = []
    for sizes, variant in kernel.sizes.items():
        suffix = "_".join(f"{name}{size}" for name, size in sizes)
        inner = _pack_one(variant, f"{folder}/{suffix}", members, texts)
        inner["submodule"] = entry["submodule"]
        inner["at"] = [size for _, size in sizes]
        entry["sizes"].append(inner)
    return entry


def _pack_one(
    kernel: Kernel, folder: str, members: dict[str, bytes], texts: dict[str, str]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"kernel_{kernel.index}",
        "digest": kernel.digest,
        "native": kernel.native is not None,
        "why": kernel.why,
        "text": "",
        "libraries": [],
        "launches": [],
        "torch": _add_blob(members, squeeze(kernel.data)),
    }
    if kernel.native is not None:
        member = f"{folder}/native.py"
        members[member] = kernel.native.code.encode()
        texts[member] = entry["name"]
        entry["text"] = member
        entry["libraries"] = [[n, _add_blob(members, data)] for n, data in kernel.native.libraries]
        for cubin in kernel.native.cubins:
            record = asdict(cubin)
            record["cubin"] = _add_blob(members, cubin.cubin)
            check_grammar(launch_text(record), "launcher", kernel=True)
            entry["launches"].append(_as_json(record))
    else:
        # A native kernel's text says what runs; the report has Inductor's, C++ included.
        members[f"{folder}/output_code.py"] = kernel.parts.output_code.encode()
    return entry


def _as_json(record: Mapping[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in record.items()}


# --- the call, the parameters, the tensors -------------------------------------------------------


def _device(captured: Captured) -> torch.device:
    for node in captured.graph_module.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.device.type != "cpu":
            return value.device
    return torch.device("cpu")


def _signature(captured: Captured, used: list[ParameterSpec]) -> dict[str, Any]:
    signature = describe_call(
        captured.arguments,
        captured.result,
        [spec.path for spec in captured.inputs],
        captured.argument_names,
        len(captured.example_args),
        list(captured.example_kwargs),
        captured.defaults,
    )
    used_names = {p.placeholder for p in used}
    inputs = {spec.placeholder for spec in captured.inputs}
    marks = []
    for node in captured.graph_module.graph.nodes:
        if node.op == "placeholder":
            is_used = "parameter" if node.name in used_names else "unused"
            marks.append("input" if node.name in inputs else is_used)
    signature["placeholders"] = marks
    values = {n.name: n.meta.get("val") for n in captured.graph_module.graph.nodes}
    for spec, entry in zip(captured.inputs, signature["inputs"], strict=True):
        value = values[spec.placeholder]
        if isinstance(value, torch.Tensor):
            entry["dims"] = [_dimension(size, captured) for size in value.shape]
    return signature


def _dimension(size: Any, captured: Captured) -> int | str:
    """A size of an input as JSON has it: a number, or an expression over the symbols' names."""
    if not torch_symbols.is_symbolic_int(size):
        return int(size)
    return size_text(torch_symbols.symbolic_expression(size), captured.names)


def _memory(captured: Captured, used: list[ParameterSpec]) -> dict[str, Any]:
    """What a load and a call have to know of shared memory, and of the default dtype."""
    memory = captured.memory
    inputs = enumerate(captured.inputs)
    return {
        "ties": [
            [t.name, t.other, t.offset, None if t.shape is None else list(t.shape)]
            for t in memory.ties
        ],
        "written": [p.name for p in used if p.placeholder in memory.written],
        "written_inputs": [i for i, spec in inputs if spec.placeholder in memory.written],
        "default_dtype": memory.default_dtype,
    }


def _parameter_row(node: Node, parameter: ParameterSpec) -> list[Any]:
    return _tensor_row(parameter.name, parameter.kind, node.meta["val"])


def _tensor_row(name: str, kind: str, value: torch.Tensor) -> list[Any]:
    """Name, kind, dtype, shape, strides (None when contiguous) and device."""
    stride = [int(n) for n in value.stride()]
    return [
        name,
        kind,
        str(value.dtype)[6:],
        [int(n) for n in value.shape],
        None if value.is_contiguous() else stride,
        str(value.device),
    ]


def _example_rows(captured: Captured) -> list[Any]:
    """The example call's leaves, as specifications: tensors without their values."""
    rows: list[Any] = []
    for leaf in captured.example_leaves:
        if isinstance(leaf, torch.Tensor):
            rows.append(
                [
                    "tensor",
                    str(leaf.dtype)[6:],
                    list(leaf.shape),
                    list(leaf.stride()),
                    str(leaf.device),
                ]
            )
        elif leaf is None or isinstance(leaf, (bool, int, float, str)):
            finite = not isinstance(leaf, float) or math.isfinite(leaf)
            rows.append(["value", leaf] if finite else ["float", repr(leaf)])  # JSON has no NaN
        else:
            rows.append(["other", repr(leaf)])
    return rows


# Non-persistent buffers up to this size are kept, for loads from a state dict.
_KEPT_BUFFER_BYTES = 1 << 20


def _stored_tensors(captured: Captured, code: ExecutionCode) -> dict[str, torch.Tensor]:
    """Constants of the graph and of the code, and small non-persistent buffers; never weights."""
    stored = {
        f"constant {i}": t.detach().cpu().contiguous().clone() for i, t in enumerate(code.constants)
    }
    for parameter in captured.parameters:
        tensor = captured.constants.get(parameter.name)
        if tensor is None:
            continue
        small = tensor.numel() * tensor.element_size() <= _KEPT_BUFFER_BYTES
        if parameter.kind == "constant" or (not parameter.persistent and small):
            stored[parameter.name] = tensor.detach().cpu().contiguous().clone()
    return stored


def _registrar(op: str) -> str:
    """The module that registered an op, as far as the op itself tells."""
    namespace, _, name = op.partition("::")
    packet = getattr(getattr(torch.ops, namespace), name.partition(".")[0])
    return torch_ops.op_module(packet)
