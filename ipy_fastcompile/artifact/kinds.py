"""A member's name and first bytes -> what kind of thing it is, for sizes and listings."""

from __future__ import annotations

from .pickles import is_pickle

TEXT = "text"
NATIVE = "native binaries"
PICKLE = "pickles"
CONSTANTS = "constants"
OTHER = "other"

# The order in which sizes are listed.
KINDS = (TEXT, NATIVE, PICKLE, CONSTANTS, OTHER)

_TEXT_SUFFIXES = (".py", ".txt", ".json", ".cpp", ".h", ".md", ".cu", ".ptx", ".ll", ".dot")
# ELF (also inside a cubin), Mach-O of both widths, PE.
_NATIVE_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"MZ\x90\0")


def kind_of(name: str, content: memoryview) -> str:
    """One of `KINDS`."""
    head = bytes(content[:4])
    if name.endswith(_TEXT_SUFFIXES):
        return TEXT
    if name.endswith(".safetensors"):
        return CONSTANTS
    if head.startswith(_NATIVE_MAGIC):
        return NATIVE
    return PICKLE if is_pickle(head) else OTHER
