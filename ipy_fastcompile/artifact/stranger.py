"""a file that is no artifact -> what it looks like, and what to do with that instead.

Only marks that nothing else has count: a damaged artifact is still called damaged.
"""

from __future__ import annotations

import os

from ..errors import ContainerCorrupt

_OWN_HEAD = b"PK\x03\x04"
_OWN_FIRST = b"manifest.json"
_READ = 1 << 16

# Mark at the beginning -> what it is, and what reads it.
_HEADS = (
    (b"\x80", "a pickle", "the program that wrote it"),
    (b"\x93NUMPY", "a NumPy array", "numpy.load"),
    (b"\x89HDF\r\n", "an HDF5 file", "h5py"),
    (b"GGUF", "a GGUF model", "llama.cpp or transformers"),
    (b"\x1f\x8b", "a gzip file", "gunzip first"),
    (b"\x7fELF", "a shared library", "the program that it belongs to"),
    (b"\x08", "an ONNX model", "onnxruntime"),
    (b"{", "JSON", "the program that wrote it"),
    (b"version https://git-lfs", "a pointer of Git LFS", "git lfs pull, which brings the file"),
)


def explain_stranger(path: str, error: ContainerCorrupt) -> ContainerCorrupt:
    """The error for a file that another tool wrote; ``error`` itself for any other."""
    try:
        found = _identify(*_ends(path))
    except OSError:
        return error
    if not found:
        return error
    what, reader = found
    return ContainerCorrupt(
        f"{path} is not an artifact of ipy_fastcompile: it looks like {what}.",
        f"Name a file that save(path) of a compiled model wrote; this one is for {reader}.",
        path=path,
        reason=f"it looks like {what}",
    )


def _ends(path: str) -> tuple[bytes, bytes]:
    """The first and the last bytes, of a file that was found to be a regular one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(_READ)
        file.seek(max(0, os.fstat(descriptor).st_size - _READ))
        return head, file.read()


def _identify(head: bytes, tail: bytes) -> tuple[str, str] | None:
    if head.startswith(_OWN_HEAD):
        return None if head[30:].startswith(_OWN_FIRST) else _kind_of_zip(tail)
    length = int.from_bytes(head[:8], "little")
    if head[8:10] == b'{"' and 2 <= length < 1 << 28:
        return "a file of weights (safetensors)", "safetensors.torch.load_file"
    for mark, what, reader in _HEADS:
        if not head.startswith(mark):
            continue
        if mark == b"\x80" and not (head[1:2] in b"\2\3\4\5" and tail.endswith(b".")):
            continue
        if mark == b"\x08" and b"pytorch" not in head and b"onnx" not in head:
            continue
        if mark == b"{" and not tail.rstrip().endswith(b"}"):
            continue
        return what, reader
    return None


def _kind_of_zip(tail: bytes) -> tuple[str, str] | None:
    """What kind of ZIP, by the names in its directory, which is at the end."""
    if b"PK\x05\x06" not in tail:
        return None
    if b"archive_format" in tail:
        if b"/aotinductor/" in tail:
            return "a package of AOTInductor", "torch._inductor.aoti_load_package"
        return "a program of torch.export.save", "torch.export.load"
    if b"/data.pkl" in tail:
        if b"/code/" in tail:
            return "a TorchScript model", "torch.jit.load"
        return "a file of torch.save", "torch.load"
    if b"serialized_exported_program.json" in tail:
        return "a program of torch.export.save", "torch.export.load"
    return "an ordinary ZIP", "unzip"
