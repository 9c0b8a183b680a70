"""(View, submodule) -> its values, its twins and its kernel, in rows."""

from __future__ import annotations

from typing import Any

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import KernelRecord, SubmoduleRecord, Value
from .units import format_value
from .view import View, output_bytes


def submodule_facts(view: View, submodule: SubmoduleRecord) -> dict[str, Any]:
    """What it reads and yields, who shares its kernel, and what is known of that."""
    kernel = next((k for k in view.report.kernels if k.index == submodule.kernel), None)
    twins = [
        s.index
        for s in view.report.submodules
        if (s.kernel, s.inlined) == (submodule.kernel, submodule.inlined)
        and (submodule.kernel is not None or s.graph == submodule.graph)
    ]
    return {
        "name": inert(submodule.name),
        "module": inert(submodule.module),
        "reason": inert(submodule.reason),
        "lines": list(submodule.lines),
        "outputBytes": output_bytes(submodule),
        "inputs": _values(view, submodule, submodule.inputs, inputs=True),
        "outputs": _values(view, submodule, submodule.outputs, inputs=False),
        "twins": twins,
        "kernel": None if kernel is None else _kernel_facts(kernel),
    }


def _values(
    view: View, submodule: SubmoduleRecord, values: tuple[Value, ...], *, inputs: bool
) -> list[list[Any]]:
    """Rows of name, value, stride, device, bytes, where it comes from and as what."""
    rows: list[list[Any]] = []
    for position, value in enumerate(values):
        producer = view.producers.get(value.name, -1) if inputs else -1
        origin = "weight" if position in view.weights[submodule.index] else "input"
        rows.append(
            [
                inert(value.name),
                format_value(value, 80),
                inert(", ".join(map(str, value.stride))),
                inert(value.device),
                inert(str(value.bytes)),
                value.example_bytes,
                producer,
                "" if not inputs else "submodule" if producer >= 0 else origin,
            ]
        )
    return rows


def _kernel_facts(kernel: KernelRecord) -> dict[str, Any]:
    return {
        "index": kernel.index,
        "digest": inert(kernel.digest),
        "native": kernel.native,
        "why": inert(kernel.why),
        "size": kernel.size,
        "sizeText": format_bytes(kernel.size),
        "seconds": kernel.seconds,
        "near": inert(str(kernel.near_twin or "")),
        "ops": [inert(op) for op in kernel.ops],
        "sources": [[inert(s.name), inert(s.language)] for s in kernel.sources],
        "binaries": [[inert(b.name), inert(b.sha256), b.size] for b in kernel.binaries],
        "lines": {
            "output": kernel.output_code.count("\n"),
            "aten": kernel.aten_graph.count("\n"),
            "native": kernel.native_code.count("\n"),
        },
    }
