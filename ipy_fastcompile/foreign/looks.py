"""The first bytes of a file that no reader knows -> what it looks like, in a few words."""

from __future__ import annotations

_MAGIC = (
    (b"\x7fELF", "a shared library or program for Linux (ELF)"),
    (b"\xcf\xfa\xed\xfe", "a shared library or program for macOS (Mach-O)"),
    (b"MZ", "a program or library for Windows (PE)"),
    (b"PK\x05\x06", "an empty ZIP"),
    (b"PK", "a ZIP"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"(\xb5/\xfd", "a Zstandard file"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"GGUF", "a GGUF model"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"TFL3", "a TensorFlow Lite model"),
    (b"PTMF", "a PyTorch Mobile model"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ipyfc/z1", "a compressed part of one of our own artifacts"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"!<arch>", "a static library"),
    (b"MLIR", "MLIR bytecode"),
    (b"ML\xefR", "MLIR bytecode"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file that it stands for"),
)


def looks_like(head: bytes, size: int) -> str:
    """``"a gzip file"``; for what has no mark, text or bytes."""
    if not size:
        return "an empty file"
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head.startswith(b"\x08") and (b"pytorch" in head or b"onnx" in head):
        return "an ONNX model"
    if head[:1] == b"\x80" and len(head) > 1:
        return f"a pickle of protocol {head[1]}, which is none that is known"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return f"{size} bytes that begin with {head[:8].hex(' ')}"
        text = head[: error.start].decode("utf-8")
    if "\0" in text:
        return f"{size} bytes that begin with {head[:8].hex(' ')}"
    first = text.lstrip()[:1]
    if first in ("{", "["):
        return "JSON or a literal of Python"
    if first == "<":
        return "HTML or XML"
    return "text"
