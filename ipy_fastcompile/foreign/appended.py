"""Bytes of PyTorch's `BytesWriter` -> the artifact in it: `standalone_compile`'s, or Mega-Cache.

A checksum, then fields that each begin with their length: big-endian, 8 bytes.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from .compiled import read_everything
from .draft import Draft
from .pickle_heads import looks_like_pickle
from .unpickle import unpickle

_CHECKSUM = 4
_LENGTH = 8
_HEADERS = {
    b"AOTCompiledArtifact": "standalone_compile artifact (aot=True)",
    b"CacheCompiledArtifact": "standalone_compile artifact (cache)",
}
_MOST_KINDS = 100
_MOST_ENTRIES = 10_000
# What an entry of Mega-Cache is, by the name of its kind.
_KINDS = {
    "inductor": "Inductor's compiled graph",
    "aot_autograd": "AOTAutograd's result",
    "autotune": "choices of autotuning",
    "pgo": "which sizes were dynamic",
    "precompile": "Dynamo's code and guards",
    "precompile_dynamo": "Dynamo's code and guards",
    "precompile_aot_autograd": "AOTAutograd's result",
}


class _Cut(ValueError):
    """The bytes end inside a field."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = _CHECKSUM

    def number(self) -> int:
        if self.at + _LENGTH > len(self.data):
            raise _Cut
        found = int.from_bytes(self.data[self.at : self.at + _LENGTH], "big")
        self.at += _LENGTH
        return found

    def field(self) -> bytes:
        size = self.number()
        if self.at + size > len(self.data):
            raise _Cut
        found = self.data[self.at : self.at + size]
        self.at += size
        return found

    def text(self) -> str:
        try:
            return base64.b64decode(self.field(), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _Cut from error


def header_of(data: bytes) -> bytes:
    """The name that a standalone artifact begins with; empty for anything else."""
    size = int.from_bytes(data[_CHECKSUM : _CHECKSUM + _LENGTH], "big")
    header = data[_CHECKSUM + _LENGTH : _CHECKSUM + _LENGTH + size] if size < 100 else b""
    return header if header.endswith(b"CompiledArtifact") and len(header) == size else b""


def is_mega_cache(data: bytes) -> bool:
    """Whether it begins as `torch.compiler.save_cache_artifacts` writes: version, then a kind."""
    reader = _Reader(data)
    try:
        version, kind = reader.number(), reader.text()
    except _Cut:
        return False
    return 0 < version < 1_000 and kind.isidentifier()


def read_standalone(draft: Draft, data: bytes) -> None:
    """`CompiledArtifact.save(format="binary")`, of either kind."""
    header = header_of(data)
    is_aot = header == b"AOTCompiledArtifact"
    draft.format = _HEADERS.get(header, f"an unknown {header.decode('ascii', 'replace')} of torch")
    draft.loads_by = "CompiledArtifact.load() unpickles it, writes its code to disk and imports it."
    _checksum(draft, data)
    reader = _Reader(data)
    try:
        reader.field()
        draft.stamps["torch's own key"] = reader.field().hex()
        if header not in _HEADERS:
            draft.miss(draft.path, "this kind of standalone artifact is not known to this version")
            return
        draft.version = "as torch 2.9 and later write it" if is_aot else "as torch 2.6 and later"
        if is_aot:
            read_pickle(draft, reader.field(), "artifact")
        else:
            draft.facts["key in AOTAutograd's cache"] = reader.text()[:200]
            read_entries(draft, reader.field())
        if reader.at != len(data):
            draft.miss("end", f"{len(data) - reader.at} bytes behind its last field")
    except _Cut:
        draft.miss(draft.path, "it is cut: a field ends behind the end of the file")


def read_mega_cache(draft: Draft, data: bytes) -> None:
    """`torch.compiler.save_cache_artifacts()`."""
    draft.format = "Mega-Cache"
    draft.loads_by = (
        "torch.compiler.load_cache_artifacts() writes its entries into the caches on disk; "
        "a compile that hits one unpickles it and imports its code."
    )
    read_entries(draft, data)


def read_entries(draft: Draft, data: bytes) -> None:
    """The entries of Mega-Cache, by kind."""
    _checksum(draft, data)
    reader = _Reader(data)
    counts: dict[str, int] = {}
    try:
        version = reader.number()
        draft.version = draft.version or f"encoding {version}"
        if version != 1:
            draft.miss("entries", f"encoding {version} is not known; it is read as if it were 1")
        while reader.at < len(data):
            if len(counts) >= _MOST_KINDS:
                draft.miss("entries", f"only the first {_MOST_KINDS} kinds are read")
                return
            kind = reader.text()[:100]
            for _ in range(reader.number()):
                key, content = reader.text(), reader.field()
                counts[kind] = counts.get(kind, 0) + 1
                if sum(counts.values()) > _MOST_ENTRIES:
                    draft.miss("entries", f"only the first {_MOST_ENTRIES} are read")
                    return
                where = f"{kind} {key.rpartition('/')[2][:16]}"
                draft.binary(f"{kind}/{key[:200]}", content, _KINDS.get(kind, "cache entry"))
                if looks_like_pickle(content):
                    read_pickle(draft, content, where)
                elif content[:1] in b"{[":
                    draft.text(where, "metadata", "text", content.decode("utf-8", "replace"))
    except _Cut:
        draft.miss("entries", "they are cut: one ends behind the end of the file")
    finally:
        for kind, count in counts.items():
            draft.facts[f"entries: {kind}"] = f"{count} ({_KINDS.get(kind, 'of no known kind')})"


def read_pickle(draft: Draft, data: bytes, where: str) -> None:
    """A pickle that holds compiled graphs."""
    result = unpickle(data, draft.budget, where)
    read_everything(draft, result.value, f"{where} " if where != "artifact" else "")


def _checksum(draft: Draft, data: bytes) -> None:
    if zlib.crc32(data[_CHECKSUM:]) != int.from_bytes(data[:_CHECKSUM], "big"):
        draft.miss("checksum", "it is not that of the bytes: they were damaged or edited")
