"""Inert values of a pickle -> the compiled graphs in it: Inductor's code, AOTAutograd's results.

One function for each class that `torch.compile`'s caches and artifacts are made of; they add what
they find to a draft. The field names are those of torch 2.5 to 2.15.
"""

from __future__ import annotations

from typing import Any

from .draft import Draft
from .origins import source_text
from .records import GRAPH, METADATA, OUTPUT
from .stubs import Made, brief, field, fields, listed, name_of, walk

# Field of `CompiledFxGraph` -> (title, role, language).
_GRAPH_TEXTS = {
    "source_code": ("output code", OUTPUT, "python"),
    "runnable_graph_str": ("runnable graph", GRAPH, "python"),
    "inductor_post_grad_graph_str": ("post-grad graph", GRAPH, "python"),
    "inductor_provenance_mapping_str": ("provenance", METADATA, "text"),
    "inductor_provenance_stack_traces_str": ("stack traces", METADATA, "text"),
}
_AOT_TEXTS = {
    "aot_joint_graph_str": "AOT joint graph",
    "aot_forward_graph_str": "AOT forward graph",
    "aot_backward_graph_str": "AOT backward graph",
    "min_cut_info_str": "min-cut partition",
}


def read_everything(
    draft: Draft, value: Any, prefix: str = "", seen: set[int] | None = None
) -> None:
    """All compiled graphs and results that are anywhere in ``value``, pickles inside included."""
    seen = set() if seen is None else seen
    for part in walk(value):
        if isinstance(part, (bytes, bytearray)):
            inner = draft.budget.nested(part)
            # A pickle may refer to the same bytes a million times.
            if inner is not None and id(part) not in seen:
                seen.add(id(part))
                read_everything(draft, inner.value, prefix, seen)
        elif draft.budget.is_over("compiled graphs"):
            return
        elif isinstance(part, Made):
            kind = name_of(part).rpartition(".")[2]
            # Objects of one state say the same.
            state = id(part.states[0]) if part.states else id(part)
            if state in seen:
                continue
            seen.add(state)
            if kind == "CompiledFxGraph":
                read_fx_graph(draft, part, prefix)
            elif kind.endswith(("AOTAutogradResult", "AOTAutogradCacheEntry")):
                read_aot_result(draft, part, prefix)
            elif kind == "TritonKernelArtifact":
                _triton_artifact(draft, part)


def read_fx_graph(draft: Draft, graph: Any, prefix: str = "") -> None:
    """Inductor's compiled graph: code, graphs, stamps, guards, constants."""
    key = field(graph, "cache_key")
    label = f"{prefix}{str(key)[:12] + ' ' if isinstance(key, str) else ''}"
    for name, (title, role, language) in _GRAPH_TEXTS.items():
        text = field(graph, name)
        if isinstance(text, str):
            draft.text(f"{label}{title}", role, language, text)
        elif text is not None:
            draft.miss(f"{label}{title}", f"it is no text but {brief(text, 80)}")
    guard = field(graph, "guards_expr")
    if isinstance(guard, str):
        draft.guard(guard)
    elif guard is not None:
        draft.guard(brief(guard, 500))
    for name, title in (("device_types", "device"), ("extern_libs_key", "extern libraries")):
        text = listed(field(graph, name))
        if text:
            draft.stamps.setdefault(title, text)
    for name, value in fields(field(graph, "constants")):
        draft.value("constant", name, brief(value, 200))
    strides = field(graph, "output_strides")
    if isinstance(strides, list):
        for number, stride in enumerate(strides):
            shown = brief(stride, 100).replace("'", "")
            draft.value("output", str(number), f"strides {shown}")
    deltas = field(graph, "metrics_deltas")
    count = field(deltas, "generated_kernel_count")
    if isinstance(count, int):
        draft.facts.setdefault("kernels counted by Inductor", str(count))


def read_aot_result(draft: Draft, result: Any, prefix: str = "") -> None:
    """AOTAutograd's result: its graphs as text, its inputs and outputs, its guards."""
    for name, title in _AOT_TEXTS.items():
        text = field(result, name)
        if isinstance(text, str):
            draft.text(f"{prefix}{title}", GRAPH, "python", text)
    guard = field(result, "guards_expr")
    if isinstance(guard, str):
        draft.guard(guard)
    for end in ("compiled_fw", "compiled_bw"):
        info = field(field(result, end), "fx_graph_cache_info")
        key = info[0] if isinstance(info, tuple) and info else None
        key = field(field(result, end), "fx_graph_cache_key", key)
        if isinstance(key, str):
            which = "forward" if end == "compiled_fw" else "backward"
            draft.facts.setdefault(f"{which} graph in Inductor's cache", key[:100])
    metadata = field(result, "runtime_metadata")
    config = field(result, "sanitized_aot_config")
    sources = field(config, "aot_autograd_arg_pos_to_source")
    inputs = field(metadata, "input_info")
    outputs = field(metadata, "output_info")
    for number, info in enumerate(inputs if isinstance(inputs, list) else []):
        source = sources[number] if isinstance(sources, list) and number < len(sources) else None
        kind, name = source_text(source)
        writes = field(info, "mutates_data") is True
        draft.value(kind, name or str(number), "written in place" if writes else "")
    has_strides = field(field(field(result, "compiled_fw"), "result"), "output_strides") is not None
    if isinstance(outputs, list) and not has_strides:
        for number, _ in enumerate(outputs):
            draft.value("output", str(number))


def _triton_artifact(draft: Draft, part: Made) -> None:
    payload, name = field(part, "payload"), field(part, "filename")
    if isinstance(payload, (bytes, bytearray)):
        draft.binary(f"triton {brief(name, 100)}", bytes(payload), "Triton's output")
