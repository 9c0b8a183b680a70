"""A `.pt2` archive -> what AOTInductor or `torch.export.save` put into it.

Both write one ZIP with `archive_format`; one file may hold programs and compiled models. Exports
before torch 2.8 have no such member: their program is `serialized_exported_program.json`.
"""

from __future__ import annotations

import re

from .archive import Archive, Unreadable
from .draft import Draft, native_kind
from .graph_json import graph_lines, range_texts, signature_values, tensor_text
from .jsons import BadJson, items, parse, part, said
from .pickle_heads import looks_like_pickle
from .records import EXECUTION, GRAPH, KERNEL, METADATA, SOURCE
from .unpickle import unpickle

_AOTI = "data/aotinductor/"
_OLD_PROGRAM = "serialized_exported_program.json"
_AOTI_STAMPS = {
    "AOTI_DEVICE_KEY": "device",
    "AOTI_PLATFORM": "platform",
    "AOTI_MACHINE": "machine",
    "AOTI_CPU_ISA": "CPU instructions",
    "AOTI_COMPUTE_CAPABILITY": "compute capability",
}
_INFO = re.compile(
    r"^[ \t]{0,40}(inputs|outputs|constants)_info_\[(\d{1,7})\]\.(\w{1,40}) = ([^\n]{0,2000});$",
    re.MULTILINE,
)
_SPEC = re.compile(r'^[ \t]{0,40}(in_spec|out_spec)_ = R"\(([^\n]{0,20000})\)";$', re.MULTILINE)
_CHECKED = re.compile(
    r"^[ \t]{0,40}if \(([^\n{]{1,300})\) \{\n[^\n]{0,100}\n[ \t]{0,40}ss << \"input_handles",
    re.MULTILINE,
)


def is_pt2(archive: Archive) -> bool:
    """Whether it is an AOTInductor package or an exported program."""
    names = archive.members
    return (
        "archive_format" in names
        or _OLD_PROGRAM in names
        or any(name.startswith((_AOTI, "models/")) and name.endswith(_PT2_ENDS) for name in names)
    )


_PT2_ENDS = (".so", ".cpp", ".json", ".wrapper.cpp", ".cubin")


def read_pt2(draft: Draft, archive: Archive) -> None:
    """Everything in the archive."""
    has_aoti = any(name.startswith(_AOTI) for name in archive.members)
    programs = [
        name
        for name in archive.members
        if (name.startswith("models/") and name.endswith(".json")) or name == _OLD_PROGRAM
    ]
    kinds = ["AOTInductor package"] * has_aoti + ["exported program"] * bool(programs)
    draft.format = " with an ".join(kinds) or "PT2 archive without a model"
    draft.version = _version(draft, archive)
    loads = []
    if has_aoti:
        loads.append("torch._inductor.aoti_load_package() loads its shared library: machine code.")
    if programs:
        loads.append(
            "torch.export.load() rebuilds the graph from JSON; tensors and inputs marked as "
            "pickles are unpickled, as plain data where torch allows nothing else."
        )
    draft.loads_by = " ".join(loads) or "Nothing in it is loaded by torch."
    for name in archive.members:
        _member(draft, archive, name)
    for where, why in archive.odd:
        draft.miss(where, why)


def _version(draft: Draft, archive: Archive) -> str:
    found = {}
    for name in ("archive_format", "archive_version", "version", "byteorder", ".data/version"):
        if name in archive.members:
            text = _text(draft, archive, name)
            if text is not None:
                found[name] = text.strip()[:100]
    if found.get("byteorder") not in (None, "little"):
        draft.facts["byte order"] = found["byteorder"]
    label = found.get("archive_format", "")
    number = found.get("archive_version", found.get("version", ""))
    return " ".join(filter(None, (label, f"archive version {number}" if number else "")))


def _text(draft: Draft, archive: Archive, name: str) -> str | None:
    try:
        return archive.read(name).decode("utf-8", "replace")
    except Unreadable as error:
        draft.miss(name, str(error))
        return None


def _member(draft: Draft, archive: Archive, name: str) -> None:
    if name in _HEADS:
        return
    if not archive.size(name):
        draft.miss(name, "it is empty")
        return
    head = archive.head(name)
    kind = native_kind(head)
    if kind or name.startswith("data/weights/weight_") or name.endswith((".o", ".a", ".cubin")):
        _digested(draft, archive, name, kind or "tensor data")
    elif name.endswith((".cpp", ".cu", ".h")):
        _cpp(draft, archive, name)
    elif name.endswith(".json"):
        _json(draft, archive, name)
    elif name.endswith(".py") and (text := _text(draft, archive, name)) is not None:
        draft.text(name, SOURCE, "python", text)
    elif head.startswith(b"PK\x03\x04"):
        _saved(draft, archive, name)
    elif looks_like_pickle(head):
        try:
            unpickle(archive.read(name), draft.budget, name)
        except Unreadable as error:
            draft.miss(name, str(error))
        _digested(draft, archive, name, "pickle")
    else:
        _digested(draft, archive, name, "bytes")


_HEADS = frozenset(
    ("archive_format", "archive_version", "version", "byteorder", ".data/version")
) | {".data/serialization_id", ".format_version", ".storage_alignment"}


def _digested(draft: Draft, archive: Archive, name: str, kind: str) -> None:
    from .records import Binary

    draft.binaries.append(Binary(name, kind, archive.size(name), archive.digest(name)))


def _saved(draft: Draft, archive: Archive, name: str) -> None:
    """A file of `torch.save` inside: its globals count, its tensors are bytes."""
    from .archive import open_archive
    from .source import from_bytes

    _digested(draft, archive, name, "torch.save")
    try:
        inner = open_archive(from_bytes(archive.read(name), name))
        for member in inner.members:
            if member.endswith(".pkl"):
                unpickle(inner.read(member), draft.budget, f"{name}: {member}")
    except (Unreadable, OSError, ValueError) as error:
        draft.miss(name, getattr(error, "what", str(error)))


# --- AOTInductor ---------------------------------------------------------------------------------


def _cpp(draft: Draft, archive: Archive, name: str) -> None:
    text = _text(draft, archive, name)
    if text is None:
        return
    short = _short(name)
    is_wrapper = ".wrapper." in name or "AOTInductorModel::" in text
    role = EXECUTION if is_wrapper else KERNEL
    draft.text(short, role, "cpp", text)
    if is_wrapper:
        _wrapper(draft, text)


def _short(name: str) -> str:
    """The path with the 52 characters of a digest cut to 12."""
    return re.sub(r"([a-z2-7]{12})[a-z2-7]{40,}", r"\1", name.removeprefix(_AOTI))


def _wrapper(draft: Draft, text: str) -> None:
    """Inputs, outputs, constants and checks, as the C++ that registers them says."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for kind, number, name, value in _INFO.findall(text):
        found.setdefault((kind, int(number)), {})[name] = value.strip().strip('"')
    for (kind, _), about in found.items():
        shape = about.get("shape", "").strip("{}")
        dtype = about.get("dtype", "").removeprefix("cached_torch_dtype_")
        device = about.get("device_type", "").removeprefix("cached_torch_device_type_")
        if kind == "constants":
            label = about.get("type", "").rpartition("::")[2].rstrip(")").lower() or "constant"
            detail = f"{dtype}[{shape}] on {device}, {about.get('data_size', '?')} bytes"
            draft.value(label, about.get("original_fqn") or about.get("name", "?"), detail)
        else:
            draft.value(kind[:-1], about.get("name", "?"))
    for name, spec in _SPEC.findall(text):
        draft.facts[f"{name.replace('_', ' ')} (pytree)"] = spec[:1_000]
    for condition in _CHECKED.findall(text):
        draft.guard(f"refused where {condition}")


def _json(draft: Draft, archive: Archive, name: str) -> None:
    try:
        data = archive.read(name, 64 * 2**20)
        value = parse(data)
    except (Unreadable, BadJson) as error:
        draft.miss(name, str(error))
        return
    if name.startswith("models/") or name == _OLD_PROGRAM:
        _program(draft, value, name)
        return
    if name.endswith(("wrapper_metadata.json", "kernel_metadata.json", "_metadata.json")):
        for key, text in items(value):
            draft.stamps.setdefault(_AOTI_STAMPS.get(key, key[:60]), said(text))
    if name.endswith(("weights_config.json", "constants_config.json")):
        told = {known.name for known in draft.values if known.detail}
        for key, about in items(part(value, "config")):
            if part(about, "use_pickle"):
                draft.miss(key[:200], "this tensor is a pickle; loading it unpickles")
            if key not in told:
                kind = "parameter" if part(about, "is_param") else "buffer"
                draft.value(kind, key, tensor_text(part(about, "tensor_meta")))
    draft.text(_short(name), METADATA, "text", data.decode("utf-8", "replace"))


# --- torch.export --------------------------------------------------------------------------------


def _program(draft: Draft, program: object, name: str) -> None:
    graph = part(program, "graph_module", "graph")
    if not isinstance(graph, dict):
        draft.miss(name, "it has no graph where torch.export writes it")
        return
    for value in signature_values(program):
        draft.value(value.kind, value.name, value.detail)
    draft.text(f"{name}: graph", GRAPH, "python", "\n".join(graph_lines(graph)) + "\n")
    for text in range_texts(program):
        draft.guard(text)
    version = part(program, "schema_version")
    if isinstance(version, dict):
        numbers = f"{said(version.get('major'), 20)}.{said(version.get('minor'), 20)}"
        draft.facts["schema"] = numbers
    for key, title in (("torch_version", "torch"), ("verifiers", "verifiers")):
        if part(program, key):
            draft.stamps[title] = said(part(program, key))
    for op, number in items(part(program, "opset_version")):
        draft.stamps[f"opset {op[:40]}"] = said(number, 20)
