"""A member's name and content -> what kind of thing it is, for sizes and listings."""

from __future__ import annotations

from .pickles import is_pickle
from .squeeze import is_squeezed, unsqueeze

TEXT = "text"
NATIVE = "native binaries"
TORCH = "kernels for the torch path"
FX_GRAPH = "FX graph"
CODE = "code objects"
CONSTANTS = "constants"
REPORT_KIND = "report"
PICKLE = "pickles"
OTHER = "other"

# The order in which sizes are listed.
KINDS = (TEXT, NATIVE, TORCH, FX_GRAPH, CODE, CONSTANTS, REPORT_KIND, PICKLE, OTHER)

# What a summary decompresses at most: it also reads what strangers wrote.
SHOWN_BYTES = 256 * 2**20

_TEXT_SUFFIXES = (".py", ".txt", ".json", ".cpp", ".h", ".md", ".cu", ".ptx", ".ll", ".dot")
# ELF (a cubin is one, too), Mach-O of both widths, PE.
_NATIVE_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"MZ\x90\0")


def kind_of(name: str, content: memoryview) -> str:
    """One of `KINDS`, for a member that no manifest gives a role."""
    head = bytes(content[:4])
    if name.endswith(_TEXT_SUFFIXES):
        return TEXT
    if name == "report.json.z":
        return REPORT_KIND
    if name == "key.json.z":
        return TEXT
    if name.endswith(".safetensors"):
        return CONSTANTS
    if is_native(content):
        return NATIVE
    return PICKLE if is_pickle(head) else OTHER


def is_native(content: memoryview) -> bool:
    """Whether it is a library or an executable."""
    return bytes(content[:4]).startswith(_NATIVE_MAGIC)


def plain_content(name: str, content: memoryview) -> bytes:
    """The content, decompressed where it is compressed.

    Raises `ArtifactCorrupt` where that fails or gives more than `SHOWN_BYTES`.
    """
    data = bytes(content)
    return unsqueeze(data, name, limit=SHOWN_BYTES) if is_squeezed(data) else data
