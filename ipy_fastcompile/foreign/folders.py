"""A folder -> the cache or artifact that it is: Inductor's, an unpacked standalone one, or vLLM's.

Recognised by what is in its files, not by what they are called: a pickle of Inductor's compiled
graph makes a folder Inductor's cache wherever it lies.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from ..errors import FastCompileError, ForeignUnreadable
from . import limits
from .aot_state import is_aot_state, read_aot_state
from .appended import header_of, is_mega_cache, read_entries, read_standalone
from .archive import open_archive
from .compiled import read_everything
from .draft import Draft, native_kind
from .jsons import BadJson, items, parse, said
from .literals import NoLiteral, parse_literal
from .packages import is_pt2, read_pt2
from .pickle_heads import looks_like_pickle, marked_start
from .precompiled import is_precompiled_source, read_source
from .records import EXECUTION, GRAPH, KERNEL, METADATA, OUTPUT, SOURCE, Binary
from .saved import is_torch_save, read_torch_save
from .source import files_of, from_bytes, open_source
from .stubs import Pairs, brief, field, name_of
from .unmarked import read_unmarked
from .unpickle import unpickle

_HEADERS = (b"gpch", b"CPCH")  # what precompiled headers of GCC and Clang begin with
_OUTPUT_MARKS = ("async_compile = AsyncCompile()", "from torch._inductor.async_compile import")
# The ends of labels of facts, by which sources and caches of pairs find each other.
_DIGEST = " has digest"
_BELONGS = " belongs to the source with digest"
_GRAPH_MARK = re.compile(r"^[ \t]*class \w+\(torch\.nn\.Module\):", re.MULTILINE)
_SHAPE = re.compile(r"^[ \t]*def forward\(", re.MULTILINE)


def read_folder(draft: Draft, folder: str) -> bool:
    """Read all files below ``folder``; whether it is a cache or artifact of a known kind."""
    files, passed = files_of(folder)
    for where, why in passed:
        draft.miss(where, why)
    seen: set[str] = set()
    left = limits.MAX_DIGESTED_BYTES
    for name, path in files.items():
        if draft.budget.is_over(draft.path):
            draft.miss(name, "it and the files behind it are not read: the time is over")
            break
        data = _content(draft, name, path, left)
        left -= len(data)
        if data and (kind := _file(draft, name, data)):
            seen.add(kind)
    draft.facts["files"] = str(len(files))
    return _name(draft, seen)


def _name(draft: Draft, seen: set[str]) -> bool:
    """What the folder is, by the kinds of files in it."""
    is_inductor = bool(seen & {"fx graph", "aot result", "output code"})
    if seen & {"vllm cache", "vllm factors", "vllm model"}:
        draft.format = "vLLM's compile cache"
        draft.loads_by = (
            "vLLM reads vllm_compile_cache.py as a literal, unpickles the artifacts that it names, "
            "and imports their output code."
        )
    elif "precompile source" in seen:
        draft.format = "torch.compiler.precompile pair"
        draft.loads_by = "torch.compiler.precompile.load() runs the source of a pair with exec."
        _pairs(draft)
    elif (
        is_inductor
        and int(draft.facts.get("AOTAutograd results", "0")) == 1
        and (int(draft.facts.get("Inductor graphs", "0")) == 1)
    ):
        draft.format = "standalone_compile artifact (unpacked), or Inductor's cache with one entry"
        draft.loads_by = "CompiledArtifact.load(format='unpacked') unpickles it, imports its code."
    elif is_inductor or "kernel" in seen:
        draft.format = "Inductor's cache folder"
        draft.loads_by = "A compile that hits an entry unpickles it and imports its output code."
    else:
        return False
    return True


def _count(draft: Draft, title: str) -> None:
    draft.facts[title] = str(int(draft.facts.get(title, "0")) + 1)


def _content(draft: Draft, name: str, path: Path, left: int) -> bytes:
    """The bytes of one file; none where it is only listed."""
    try:
        source = open_source(str(path))
        with source.file:
            draft.size += source.size
            if source.head(4) in _HEADERS:
                draft.binaries.append(Binary(name, "precompiled header", source.size))
            elif source.size > limits.MAX_TEXT_BYTES * 4:
                draft.binaries.append(Binary(name, "large file", source.size))
                why = f"{source.size} bytes are past what is read of one file of a folder"
                draft.miss(name, why)
            elif source.size > left:
                draft.binaries.append(Binary(name, "not read", source.size))
                draft.miss(draft.path, f"what is past its first {limits.MAX_DIGESTED_BYTES} bytes")
            else:
                return source.everything()
    except FastCompileError as error:
        draft.miss(name, error.what)
    return b""


def _file(draft: Draft, name: str, data: bytes) -> str:
    """Read one file; a word for what it is, empty where that says nothing about the folder."""
    size = len(data)
    kind = native_kind(data)
    if kind:
        draft.binaries.append(Binary(name, kind, size, sha256(data).hexdigest()))
        return ""
    if looks_like_pickle(data[(start := marked_start(data)) : start + 4]):
        return _pickle(draft, name, data, start)
    if header_of(data):
        inner = Draft(name, size, budget=draft.budget)
        read_standalone(inner, data)
        _merge(draft, inner, name)
        return "standalone"
    if is_mega_cache(data):
        read_entries(draft, data)
        return "mega cache"
    if data.startswith(b"PK\x03\x04"):
        return _zip(draft, name, data)
    result = read_unmarked(data, draft.budget, name)
    if result is not None:
        draft.binaries.append(Binary(name, "pickle", size, sha256(data).hexdigest()))
        read_everything(draft, result.value, "")
        return ""
    if b"\0" in data[:4096]:
        draft.binaries.append(Binary(name, "bytes", size, sha256(data).hexdigest()))
        return ""
    return _text(draft, name, data)


def _zip(draft: Draft, name: str, data: bytes) -> str:
    """A `.pt2` or a file of `torch.save` among the others."""
    inner = Draft(name, len(data), budget=draft.budget)
    kind = ""
    try:
        archive = open_archive(from_bytes(data, name))
    except ForeignUnreadable as error:
        draft.miss(name, error.what)
        return ""
    if is_pt2(archive):
        read_pt2(inner, archive)
    elif is_torch_save(archive):
        read_torch_save(inner, archive)
        kind = "precompile cache" if "precompile" in inner.format else ""
    _merge(draft, inner, name)
    draft.binaries.append(Binary(name, inner.format or "ZIP", len(data), sha256(data).hexdigest()))
    if kind and (digest := inner.facts.get("code hash")):
        draft.facts[f"{name}{_BELONGS}"] = digest
    return kind


def _pairs(draft: Draft) -> None:
    """Say of every cache whose source is not there that it is alone."""
    digests = {text for name, text in draft.facts.items() if name.endswith(_DIGEST)}
    for label, digest in draft.facts.items():
        if label.endswith(_BELONGS) and digest not in digests:
            cache = label.removesuffix(_BELONGS)
            draft.miss(cache, "the source that this cache belongs to is not in the folder")


def _merge(draft: Draft, inner: Draft, name: str) -> None:
    draft.facts[f"{name} is"] = inner.format
    for text in inner.texts:
        draft.text(f"{name}: {text.name}", text.role, text.language, text.text)
    draft.values += inner.values
    draft.binaries += inner.binaries
    for guard in inner.guards:
        draft.guard(guard)
    for missed in inner.unread:
        draft.miss(f"{name}: {missed.where}", missed.why)
    for label, stamp in inner.stamps.items():
        draft.stamps.setdefault(label, stamp)


def _pickle(draft: Draft, name: str, data: bytes, start: int) -> str:
    result = unpickle(data, draft.budget, name, start)
    draft.binaries.append(Binary(name, "pickle", len(data), sha256(data).hexdigest()))
    value = result.value
    if is_aot_state(value):
        read_aot_state(draft, value, f"{name}: ")
        by_vllm = any(used.startswith("vllm.") for used in draft.budget.uses)
        return "vllm model" if by_vllm else "aot file"
    read_everything(draft, value, "")
    made = name_of(value).rpartition(".")[2]
    if made == "CompiledFxGraph":
        _count(draft, "Inductor graphs")
        return "fx graph"
    if made.endswith("AOTAutogradResult"):
        _count(draft, "AOTAutograd results")
        return "aot result"
    return ""


def _text(draft: Draft, name: str, data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    if is_precompiled_source(text):
        inner = Draft(name, len(data), budget=draft.budget)
        read_source(inner, text)
        _merge(draft, inner, name)
        draft.facts[f"{name}{_DIGEST}"] = sha256(data).hexdigest()
        return "precompile source"
    if any(mark in text for mark in _OUTPUT_MARKS):
        draft.text(name, OUTPUT, "python", text)
        return "output code"
    if "#include" in text[:20_000] or 'extern "C"' in text[:20_000]:
        is_wrapper = "AOTInductorModel" in text
        draft.text(name, EXECUTION if is_wrapper else KERNEL, "cpp", text)
        return "kernel"
    if "@triton.jit" in text:
        draft.text(name, KERNEL, "python", text)
        return "kernel"
    stripped = text.lstrip()
    if stripped.startswith("{") and (kind := _literal(draft, name, text, data)):
        return kind
    if _GRAPH_MARK.search(text) and _SHAPE.search(text):
        draft.text(name, GRAPH, "python", text)
        return ""
    is_python = name.endswith(".py")
    draft.text(name, SOURCE if is_python else METADATA, "python" if is_python else "text", text)
    return ""


def _literal(draft: Draft, name: str, text: str, data: bytes) -> str:
    """VLLM's table of artifacts, or its JSON of what the cache key was made of."""
    try:
        value = parse(data)
    except BadJson:
        return _table(draft, name, text)
    draft.text(name, METADATA, "text", text)
    keys = {key for key, _ in items(value)}
    if not {"code_hash", "compiler_hash", "config_hash", "env_hash"} & keys:
        return ""
    for key, part in items(value):
        if isinstance(part, str):
            draft.stamps[key.replace("_", " ")[:60]] = said(part)
    return "vllm factors"


def _table(draft: Draft, name: str, text: str) -> str:
    try:
        table = parse_literal(text)
    except NoLiteral as error:
        draft.miss(name, f"it looks like a literal of Python, but {error}")
        draft.text(name, METADATA, "text", text)
        return ""
    draft.text(name, METADATA, "python", text)
    if not isinstance(table, Pairs):
        return ""
    count = 0
    for key, handle in table.pairs:
        if not (isinstance(key, tuple) and len(key) == 3 and isinstance(key[2], str)):
            continue
        count += 1
        if count <= 200:
            shape = "any size" if key[0] is None else f"sizes {brief(key[0], 60)}"
            shown = field(handle, "graph_handle", handle)
            label = f"submodule {brief(key[1], 20)}, {shape}, {key[2][:60]}"
            draft.facts[label] = brief(shown, 300).replace("'", "")
    if count:
        draft.facts["compiled submodules"] = str(count)
    return "vllm cache" if count else ""
