"""The state that `aot_compile` pickles -> signature, code, guards and the machine it was made on.

Seen with torch 2.13 and 2.15.
"""

from __future__ import annotations

from typing import Any

from .compiled import read_everything
from .draft import Draft
from .guards import read_guards
from .records import EXECUTION, METADATA
from .stubs import Made, Pairs, brief, field, fields, find


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
    for _, module in fields(imports):
        if isinstance(module, str):
            draft.budget.use(module, "runtime_env.import_sources")
            draft.facts.setdefault(f"{prefix}imports when called", "")
            known = draft.facts[f"{prefix}imports when called"]
            draft.facts[f"{prefix}imports when called"] = f"{known}, {module}".lstrip(", ")[:2_000]
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
