"""The bytes of a pickle -> the names that loading it would import, without loading it.

Information, never a verdict: a pickle can compute the names it imports, and what cannot be read
off is listed as ``?``. Pickles inside a pickle's byte strings are listed too.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator

from ..frozen import frozen

_STRINGS = {"UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE", "STRING", "BINSTRING"}
_STRINGS |= {"SHORT_BINSTRING"}
_BYTES = {"BINBYTES", "BINBYTES8", "SHORT_BINBYTES", "BYTEARRAY8"}
_GET = {"GET", "BINGET", "LONG_BINGET"}
_PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
_MAX_OPCODES = 1_000_000
_MAX_NESTING = 4


@frozen
class PickleListing:
    """What loading a pickle would import: dotted names, sorted.

    ``note`` says why the listing may be incomplete, and is empty where it is not.
    """

    names: tuple[str, ...]
    note: str = ""


def is_pickle(data: bytes) -> bool:
    """Whether ``data`` looks like a pickle of protocol 2 or later."""
    return len(data) > 2 and data[0] == 0x80 and 2 <= data[1] <= 5


def list_imports(data: bytes) -> PickleListing:
    """The globals that unpickling ``data`` would import."""
    names: set[str] = set()
    notes: list[str] = []
    _collect(data, names, notes, 0)
    if "?" in names:
        notes.append("some names are computed while it loads")
    return PickleListing(tuple(sorted(names)), "; ".join(dict.fromkeys(notes)))


def _collect(data: bytes, names: set[str], notes: list[str], nesting: int) -> None:
    memo: dict[int, str] = {}
    # The last strings that were pushed, "?" for a value that may be anything.
    recent = ["?", "?"]
    opcodes = _opcodes(data, notes)
    for name, argument in opcodes:
        if name in ("GLOBAL", "INST"):
            names.add(str(argument).replace(" ", "."))
            recent.append("?")
        elif name == "STACK_GLOBAL":
            names.add("?" if "?" in recent[-2:] else ".".join(recent[-2:]))
            recent.append("?")
        elif name in ("EXT1", "EXT2", "EXT4"):
            names.add(f"copyreg extension {argument}")
        elif name in _STRINGS:
            recent.append(str(argument))
        elif name == "MEMOIZE":
            memo[len(memo)] = recent[-1]
        elif name in _PUT:
            memo[int(str(argument))] = recent[-1]
        elif name in _GET:
            recent.append(memo.get(int(str(argument)), "?"))
        elif name in _BYTES:
            recent.append("?")
            if isinstance(argument, (bytes, bytearray)) and is_pickle(bytes(argument)):
                if nesting == _MAX_NESTING:
                    notes.append(f"pickles nested deeper than {_MAX_NESTING} are not listed")
                else:
                    _collect(bytes(argument), names, notes, nesting + 1)
        elif name not in ("PROTO", "FRAME", "MARK"):
            recent.append("?")
        del recent[:-2]


def _opcodes(data: bytes, notes: list[str]) -> Iterator[tuple[str, object]]:
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count == _MAX_OPCODES:
                notes.append(f"only the first {_MAX_OPCODES} opcodes were read")
                return
            yield opcode.name, argument
    except (ValueError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        notes.append(f"it does not parse to its end ({error})")
