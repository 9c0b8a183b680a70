"""Inert values of a pickle -> what PyTorch's compilers keep in it: code, graphs, guards, stamps.

One function for each class that `torch.compile`'s caches and artifacts are made of; they add what
they find to a draft. The field names are those of torch 2.5 to 2.15.
"""

from __future__ import annotations

from typing import Any

from .draft import Draft
from .records import EXECUTION, GRAPH, METADATA, OUTPUT
from .stubs import Made, Name, Outside, Pairs, brief, field, fields, find, name_of, walk

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
_KINDS = {"_parameters": "parameter", "_buffers": "buffer"}


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
        text = _listed(field(graph, name))
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


def _listed(value: Any) -> str:
    """The members of a set or list as text."""
    if isinstance(value, Made):
        value = value.args[0] if isinstance(value.args, tuple) and value.args else value.items
    if isinstance(value, (list, tuple)):
        return ", ".join(v if isinstance(v, str) else brief(v, 60) for v in value[:50])
    return "" if value is None else brief(value, 100)


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


def source_text(source: Any) -> tuple[str, str]:
    """(kind, name) of where Dynamo takes an argument from: ``("parameter", "self.lin.weight")``."""
    path: list[str] = []
    kind = "input"
    for _ in range(40):
        if not isinstance(source, Made) or not isinstance(source.args, tuple):
            break
        args = list(source.args) + [part for _, part in fields(source)]
        inner = next((arg for arg in args if isinstance(arg, Made)), None)
        names = [arg for arg in args if isinstance(arg, (str, int)) and not isinstance(arg, bool)]
        label = names[0] if names else None
        if isinstance(label, str) and label in _KINDS:
            kind = _KINDS[label]
        elif label is not None and label != "_modules":
            path.append(f"[{label}]" if isinstance(label, int) else label[:200])
        source = inner
    return kind, ".".join(reversed(path)).replace(".[", "[")


def _triton_artifact(draft: Draft, part: Made) -> None:
    payload, name = field(part, "payload"), field(part, "filename")
    if isinstance(payload, (bytes, bytearray)):
        draft.binary(f"triton {brief(name, 100)}", bytes(payload), "Triton's output")


# --- aot_compile ---------------------------------------------------------------------------------


def is_aot_state(value: Any) -> bool:
    """Whether it is the state that `save_compiled_function` pickles."""
    names = {name for name, _ in fields(value)} if isinstance(value, Pairs) else set()
    return {"signature", "compiled_fn", "original_code"} <= names


def read_aot_state(draft: Draft, state: Any, prefix: str = "") -> None:
    """`torch.compile(...).aot_compile(...)`: signature, code, guards and the machine."""
    for name, title in (("backend_name", "backend"), ("device_type", "device")):
        if isinstance(text := field(state, name), str):
            draft.facts[f"{prefix}{title}"] = text
    _system(draft, field(state, "system_info"))
    draft.facts[f"{prefix}signature"] = _signature(field(state, "signature"))
    code = field(state, "original_code")
    draft.facts[f"{prefix}compiled from"] = _code_place(code)
    environment = field(state, "runtime_env")
    imports = field(environment, "import_sources")
    for alias, module in fields(imports):
        if isinstance(module, str):
            draft.budget.use(module, "runtime_env.import_sources")
            draft.facts.setdefault(f"{prefix}imports when called", "")
            known = draft.facts[f"{prefix}imports when called"]
            draft.facts[f"{prefix}imports when called"] = f"{known}, {module}".lstrip(", ")[:2_000]
            del alias
    for title, part in (("rewritten", field(environment, "bytecode")), ("original", code)):
        if part is not None:
            draft.text(f"{prefix}{title} code object", EXECUTION, "text", _code_text(part))
            raw = field(part, "co_code")
            if isinstance(raw, bytes):
                draft.binary(f"{prefix}{title} bytecode", raw, "bytecode of Python")
    _sources(draft, field(field(state, "source_info"), "inlined_sources"), prefix)
    read_guards(draft, field(state, "guards_state"), prefix)
    compiled = field(state, "compiled_fn")
    if isinstance(compiled, tuple) and len(compiled) == 2:
        draft.facts[f"{prefix}compiled by"] = brief(compiled[0], 200)
        read_everything(draft, compiled[1], prefix)
    else:
        read_everything(draft, compiled, prefix)


def _system(draft: Draft, info: Any) -> None:
    titles = {
        "python_version": "python",
        "torch_version": "torch",
        "toolkit_version": "CUDA toolkit",
        "triton_version": "triton",
        "gpu_name": "GPU",
        "cpu_codegen_target": "CPU",
    }
    for name, value in fields(info):
        if isinstance(value, Made) and isinstance(value.args, tuple) and value.args:
            value = value.args[0]
        if value is not None:
            text = value if isinstance(value, str) else brief(value, 100)
            draft.stamps[titles.get(name, name[:60])] = text[:300]


def _signature(value: Any) -> str:
    names = []
    for parameter in find(value, "Parameter"):
        if isinstance(parameter.args, tuple) and parameter.args:
            kind = parameter.args[1] if len(parameter.args) > 1 else None
            number = brief(kind.args, 20) if isinstance(kind, Made) else ""
            stars = {"(2,)": "*", "(4,)": "**"}.get(number, "")
            names.append(f"{stars}{brief(parameter.args[0], 80)}".replace("'", ""))
    return f"({', '.join(dict.fromkeys(names))})"


def _code_place(code: Any) -> str:
    file, name = field(code, "co_filename"), field(code, "co_qualname") or field(code, "co_name")
    line = field(code, "co_firstlineno")
    if not isinstance(file, str):
        return ""
    return f"{brief(name, 200)} in {file[:300]}:{brief(line, 20)}".replace("'", "")


def _code_text(code: Any) -> str:
    """The names, constants and variables of a code object; its bytecode is not disassembled."""
    lines = [_code_place(code)]
    for name, title in (
        ("co_varnames", "variables"),
        ("co_names", "names"),
        ("co_consts", "constants"),
        ("co_freevars", "free variables"),
        ("co_cellvars", "cells"),
    ):
        value = field(code, name)
        if isinstance(value, tuple) and value:
            lines.append(f"{title}: {', '.join(brief(v, 200) for v in value[:500])}")
    return "\n".join(lines)


def _sources(draft: Draft, sources: Any, prefix: str) -> None:
    """The Python files that Dynamo looked into, with their checksums."""
    lines = []
    for part in find(sources, "InlinedSource"):
        module, first = field(part, "module"), field(part, "firstlineno")
        last, check = field(part, "lastlineno"), field(part, "checksum")
        content = field(part, "content")
        args = part.args if isinstance(part.args, tuple) else ()
        shown = [brief(v, 100) for v in (module, first, last, check) if v is not None]
        lines.append(" ".join(shown or [brief(args, 300)]))
        if isinstance(content, str):
            place = f"{brief(module, 100)}:{brief(first, 20)}".replace("'", "")
            draft.text(f"{prefix}inlined {place}", "source", "python", content)
    if lines:
        draft.text(f"{prefix}inlined sources", METADATA, "text", "\n".join(sorted(lines)))


def read_guards(draft: Draft, state: Any, prefix: str = "") -> None:
    """Dynamo's guards: kind, place and expressions, as far as they are text in the pickle."""
    if isinstance(state, (bytes, bytearray)):
        inner = draft.budget.nested(state)
        if inner is None:
            draft.miss(f"{prefix}guards", "they are no pickle that could be read")
            return
        state = inner.value
    count = 0
    for guard in find(state, "Guard"):
        count += 1
        source = guard_source(field(guard, "originating_source"))
        kinds = field(guard, "guard_types")
        created = field(guard, "create_fn")
        codes = field(guard, "code_list")
        if not source and isinstance(guard.args, tuple) and guard.args:
            source = guard_source(guard.args[0])
        kind = (
            ", ".join(dict.fromkeys(_listed(kinds).split(", ")))
            or name_of(created).rpartition(".")[2]
        )
        texts = codes if isinstance(codes, list) else []
        told = [t if isinstance(t, str) else brief(t, 300) for t in texts[:50]]
        shown = " and ".join(dict.fromkeys(told))
        draft.guard(f"{kind or 'guard'} on {source or '?'}{': ' + shown if shown else ''}")
    shapes = field(state, "shape_code_parts")
    for exprs in walk(shapes):
        if isinstance(exprs, str):
            draft.guard(exprs)
    known = [name_of(part).rpartition(".")[2] for part in find(state, "GuardsState")]
    if not count and known:
        draft.facts[f"{prefix}guards"] = "none were kept"
    elif not count and state is not None:
        draft.miss(f"{prefix}guards", "no guard in them has a form that is known")


def guard_source(source: Any) -> str:
    """``L['self'].lin`` and the like, of Dynamo's source objects."""
    if isinstance(source, str):
        return source[:300]
    if isinstance(source, (Name, Outside)) or source is None:
        return ""
    return source_text(source)[1]
