"""A path, a folder or bytes -> `ForeignArtifact`: recognised by content, read by its reader.

Nothing is unpickled, imported, executed or extracted; whatever is wrong with the bytes ends in one
error of ours, or in a record that says what it could not read.
"""

from __future__ import annotations

import os

from ..artifact.files import path_text
from ..artifact.inert import inert
from ..errors import ForeignUnreadable
from . import limits
from .aot_state import is_aot_state, read_aot_state
from .appended import header_of, is_mega_cache, read_mega_cache, read_pickle, read_standalone
from .archive import Archive, open_archive
from .draft import Draft, native_kind
from .folders import read_folder
from .looks import looks_like
from .packages import is_pt2, read_pt2
from .pickle_heads import looks_like_pickle, marked_start
from .precompiled import is_precompiled_source, read_source
from .records import OUTPUT, ForeignArtifact
from .saved import (
    LEGACY_MAGIC,
    behind,
    is_torch_save,
    is_torchscript,
    read_legacy,
    read_pickle_of_others,
    read_safetensors,
    read_torch_save,
    read_torchscript,
)
from .source import Source, from_bytes, is_folder, open_source
from .stubs import Made, field, name_of
from .unmarked import read_unmarked
from .unpickle import unpickle

_HEAD = 65_536
_MOST_CALLS = 1_000
# What ends the directory of a ZIP, and how far from the end of the file it may be.
_ZIP_END = b"PK\5\6"
_ZIP_TAIL = 65_536 + 22
_MOST_HEADER = 64 * 2**20
_AOTI_SYMBOL = b"AOTInductorModelContainerCreate"
_OUTPUT_MARK = "async_compile = AsyncCompile()"


def open_foreign(file: str | os.PathLike[str] | bytes) -> ForeignArtifact:
    """Read somebody else's artifact without loading it.

    Parameters
    ----------
    file:
        Path of a file or folder, or the bytes of a file.

    Raises
    ------
    ArtifactNotFound, ArtifactUnreadable
        Nothing is there, or it cannot be read.
    ForeignUnreadable
        It is of no kind that is known, or damaged beyond reading; the message says what it looks
        like.
    """
    if isinstance(file, (bytes, bytearray, memoryview)):
        return _read(from_bytes(bytes(file)))
    path = path_text(file)
    if is_folder(path):
        return _folder(path)
    source = open_source(path)
    with source.file:
        return _read(source)


def _folder(path: str) -> ForeignArtifact:
    draft = Draft(path, 0)
    if not read_folder(draft, path):
        raise ForeignUnreadable(
            f"{inert(path, limit=300)} is a folder in which no file is of a compiler's cache that "
            "is known.",
            "Name the folder that TORCHINDUCTOR_CACHE_DIR or VLLM_CACHE_ROOT leads to, or a file.",
            path=path,
        )
    return draft.finish()


def _read(source: Source) -> ForeignArtifact:
    draft = Draft(source.path, source.size)
    head = source.head(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        archive = open_archive(source)
        if not _zip(draft, archive):
            names = inert(", ".join(list(archive.members)[:5]), limit=200)
            raise _unknown(source, f"a ZIP of {len(archive.members)} members, such as {names}")
    elif looks_like_pickle(head[(start := marked_start(head)) : start + 4]):
        _pickle(draft, source.everything(), start)
    elif header_of(head):
        read_standalone(draft, source.everything())
    elif is_mega_cache(head):
        read_mega_cache(draft, source.everything())
    elif _is_safetensors(head, source.size):
        length = int.from_bytes(head[:8], "little")
        read_safetensors(draft, source.head(8 + length), source.size)
    elif not _other(draft, source, head):
        raise _unknown(source, looks_like(head, source.size))
    draft.sha256 = source.digest()
    return draft.finish()


def _unknown(source: Source, looks: str) -> ForeignUnreadable:
    return ForeignUnreadable(
        f"{source.shown} is no artifact of a kind that is known: it looks like {looks}.",
        "Known are our own artifacts, those of torch.compile, AOTInductor and torch.export, their "
        "caches, vLLM's, and what torch.save, TorchScript and safetensors write.",
        path=source.path,
        looks=looks,
    )


def _zip(draft: Draft, archive: Archive) -> bool:
    if is_pt2(archive):
        read_pt2(draft, archive)
    elif is_torchscript(archive):
        read_torchscript(draft, archive)
    elif is_torch_save(archive):
        read_torch_save(draft, archive)
    else:
        return False
    return True


def _pickle(draft: Draft, data: bytes, start: int) -> None:
    result = unpickle(data, draft.budget, "the pickle", start)
    value = result.value
    draft.version = f"pickle protocol {data[start + 1]}"
    draft.loads_by = "Its loader unpickles it, writes its output code to disk and imports it."
    made = name_of(value).rpartition(".")[2] if isinstance(value, Made) else ""
    parts = value if isinstance(value, (tuple, list)) else ()
    distinct = {id(part): part for part in parts[:_MOST_CALLS] if isinstance(part, bytes)}
    inner = [draft.budget.nested(part) for part in distinct.values()]
    if value == LEGACY_MAGIC and isinstance(value, int):
        draft.budget.uses.clear()
        read_legacy(draft, data)
    elif is_aot_state(value):
        draft.format = "aot_compile file"
        draft.loads_by = (
            "torch.compiler.load_compiled_function() unpickles it, makes functions of its "
            "bytecode, writes its output code to disk and imports it."
        )
        _aot_version(draft, value)
        if start:
            _marked_version(draft, data[start - 1])
        read_aot_state(draft, value)
    elif inner and all(found is not None and is_aot_state(found.value) for found in inner):
        draft.format = "aot_compile module file"
        for number, found in enumerate(inner):
            assert found is not None
            _aot_version(draft, found.value)
            read_aot_state(draft, found.value, f"call {number}: ")
    elif isinstance(value, tuple) and value and _is_result(value[0]):
        draft.format = "standalone_compile artifact (aot=True, serialized)"
        read_pickle(draft, data, "artifact")
    elif _is_result(value):
        draft.format = "entry of AOTAutograd's cache"
        read_pickle(draft, data, "artifact")
    elif made == "CompiledFxGraph":
        draft.format = "entry of Inductor's cache"
        read_pickle(draft, data, "artifact")
    else:
        read_pickle_of_others(draft, result, data)
        return
    if result.end < len(data) and not result.problem and value != LEGACY_MAGIC:
        draft.miss("end", behind(data, result.end))


def _is_result(value: object) -> bool:
    return isinstance(value, Made) and name_of(value).endswith("AOTAutogradResult")


def _aot_version(draft: Draft, state: object) -> None:
    torch = field(field(state, "system_info"), "torch_version")
    args = torch.args if isinstance(torch, Made) else ()
    text = args[0] if isinstance(args, tuple) and args else torch
    if isinstance(text, str):
        draft.version = f"torch {text[:60]}"


def _marked_version(draft: Draft, number: int) -> None:
    draft.version = f"{draft.version}, format {number}"
    if number != 1:
        draft.miss("format", f"format {number} is not known; it is read as if it were 1")


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= min(size - 8, _MOST_HEADER)


def _other(draft: Draft, source: Source, head: bytes) -> bool:
    """Text, a bare library, a pickle or ZIP that does not begin as one: none has a mark at 0."""
    if native_kind(head):
        data = source.everything() if source.size <= limits.MAX_READ_BYTES else b""
        if _AOTI_SYMBOL not in data:
            return False
        draft.format = "AOTInductor library"
        draft.version = "as torch wrote it before the .pt2 package, or taken out of one"
        draft.loads_by = "torch._inductor loads it as a shared library: machine code."
        draft.binary("the library", data)
        draft.miss("code", "machine code is not disassembled")
        return True
    if b"\0" not in head and source.size <= limits.MAX_TEXT_BYTES:
        text = source.everything().decode("utf-8", "replace")
        if is_precompiled_source(text):
            read_source(draft, text)
            return True
        if _OUTPUT_MARK in text:
            draft.format = "Inductor's output code"
            draft.loads_by = "Importing it compiles its kernels."
            draft.text("output code", OUTPUT, "python", text)
            return True
    if source.size <= limits.MAX_READ_BYTES:
        data = source.everything()
        result = read_unmarked(data, draft.budget, "the pickle")
        if result is not None:
            read_pickle_of_others(draft, result, data)
            return True
    return _prefixed(draft, source)


def _prefixed(draft: Draft, source: Source) -> bool:
    """A ZIP with something before it, as its readers allow."""
    if _ZIP_END not in source.tail(_ZIP_TAIL):
        return False
    try:
        archive = open_archive(source)
    except ForeignUnreadable:
        return False  # only some bytes near its end are a ZIP's
    return _zip(draft, archive)
