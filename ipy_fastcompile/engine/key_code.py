"""code object -> its digest, and the names through which it reaches other code."""

from __future__ import annotations

import dis
import inspect
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from types import CodeType, FunctionType
from typing import Any

from ..artifact.key import section


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for tables of names."""
    return frozenset(text.split())


_EXTENDED_ARG = dis.opmap["EXTENDED_ARG"]
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
# Opcode -> how far its argument is shifted before it is an index into co_names.
_GLOBAL_NAMES = {
    dis.opmap[name]: shift
    for name, shift in (
        ("LOAD_GLOBAL", 1 if sys.version_info >= (3, 11) else 0),
        ("LOAD_NAME", 0),
        ("LOAD_FROM_DICT_OR_GLOBALS", 0),
    )
    if name in dis.opmap
}

# With one of these, a string may become the name of an attribute or of an environment variable.
_LOOKUPS = word_set(
    "getattr hasattr setattr vars dir globals attrgetter methodcaller __dict__ environ getenv"
)


@dataclass(frozen=True)
class Import:
    """An import statement inside a function: ``from ..a import b`` has level 2."""

    module: str
    level: int


@dataclass(frozen=True)
class Mentions:
    """What a function's code refers to by name, nested functions included; all sorted.

    ``globals`` are looked up in its module or among the builtins, ``names`` are these and all
    attributes, ``words`` the string constants of code that looks things up by name.
    """

    globals: tuple[str, ...]
    names: tuple[str, ...]
    words: tuple[str, ...]
    imports: tuple[Import, ...]


def read_mentions(code: CodeType) -> Mentions:
    """Everything that ``code`` mentions."""
    found_globals: set[str] = set()
    names: set[str] = set()
    words: set[str] = set()
    imports: set[Import] = set()
    for part in _nested(code):
        names.update(part.co_names)
        if _LOOKUPS.intersection(part.co_names):
            words.update(w for w in _strings(part.co_consts) if w.isidentifier())
        has_imports = False
        for opcode, argument in _instructions(part.co_code):
            shift = _GLOBAL_NAMES.get(opcode)
            if shift is not None:
                found_globals.add(part.co_names[argument >> shift])
            has_imports = has_imports or opcode == _IMPORT_NAME
        if has_imports:
            imports.update(_imports(part))
    return Mentions(
        tuple(sorted(found_globals)),
        tuple(sorted(names)),
        tuple(sorted(words)),
        tuple(sorted(imports, key=lambda found: (found.module, found.level))),
    )


def code_digest(code: CodeType) -> str:
    """16 hexadecimal digits; equal for code that does the same, wherever it is and is called."""
    return sha256(_canonical(code).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def source_section(function: FunctionType, label: str) -> str:
    """The source text of a function, as a section of a key component; "" where nothing kept it.

    The text is for explaining a miss: what runs is the code object, and the file may say
    something else by now.
    """
    try:
        lines, first = inspect.getsourcelines(function.__code__)
    except (OSError, TypeError, IndexError, SyntaxError, tokenize.TokenError):
        return ""
    return section(label, "".join(lines).rstrip("\n"), max(1, first))


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _instructions(code: bytes) -> Iterator[tuple[int, int]]:
    extended = 0
    for position in range(0, len(code), 2):
        opcode, argument = code[position], code[position + 1] | extended
        extended = argument << 8 if opcode == _EXTENDED_ARG else 0
        yield opcode, argument


def _imports(code: CodeType) -> Iterator[Import]:
    before: list[Any] = [0, None]
    for instruction in dis.get_instructions(code):
        if instruction.opcode == _IMPORT_NAME:
            level = before[-2]
            yield Import(instruction.argval, level if isinstance(level, int) else 0)
        if instruction.opname != "EXTENDED_ARG":
            before = [before[-1], instruction.argval]


def _strings(constants: tuple[Any, ...]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, (tuple, frozenset)):
            yield from _strings(tuple(constant))


def _canonical(constant: Any) -> str:
    """Text of a constant of a code object; code objects without the places they came from."""
    if isinstance(constant, CodeType):
        parts = (
            constant.co_name,
            constant.co_argcount,
            constant.co_posonlyargcount,
            constant.co_kwonlyargcount,
            constant.co_flags,
            constant.co_names,
            constant.co_varnames,
            constant.co_freevars,
            constant.co_cellvars,
            constant.co_code,
            getattr(constant, "co_exceptiontable", b""),
        )
        inner = ", ".join(_canonical(c) for c in constant.co_consts)
        return f"code({parts!r}, [{inner}])"
    if isinstance(constant, tuple):
        return f"({', '.join(map(_canonical, constant))},)"
    if isinstance(constant, frozenset):
        return f"frozenset({sorted(map(_canonical, constant))})"
    return f"{type(constant).__name__}:{constant!r}"
