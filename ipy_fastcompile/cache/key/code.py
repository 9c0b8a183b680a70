"""code object -> its digest, and the names through which it reaches other code."""

from __future__ import annotations

import inspect
import tokenize
from collections.abc import Iterator
from hashlib import sha256
from types import CodeType, FunctionType
from typing import Any

from ...frozen import frozen
from .chains import Uses, nested, read_uses
from .components import section
from .words import word_set

# With one of these, a string may become the name of an attribute or of an environment variable.
_LOOKUPS = word_set(
    "getattr hasattr setattr vars dir globals attrgetter methodcaller __dict__ environ getenv"
)


@frozen
class Import:
    """An import statement inside a function: ``from ..a import b`` has level 2."""

    module: str
    level: int


@frozen
class Mentions:
    """What a function's code refers to by name, nested functions included; all sorted.

    ``globals`` are looked up in its module or among the builtins, ``names`` are these and all
    attributes, ``words`` the string constants of code that looks things up by name.
    """

    globals: tuple[str, ...]
    names: tuple[str, ...]
    words: tuple[str, ...]
    imports: tuple[Import, ...]
    uses: Uses


# Reading a function costs more than the rest of what is asked of it, and is the same every time.
_READ: dict[int, tuple[CodeType, Mentions]] = {}
_MOST_READ = 50_000


def read_mentions(code: CodeType) -> Mentions:
    """Everything that ``code`` mentions."""
    known = _READ.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    if len(_READ) >= _MOST_READ:
        _READ.clear()
    mentions = _read(code)
    _READ[id(code)] = (code, mentions)
    return mentions


def _read(code: CodeType) -> Mentions:
    names: set[str] = set()
    words: set[str] = set()
    uses = read_uses(code)
    for part in nested(code):
        names.update(part.co_names)
        if _LOOKUPS.intersection(part.co_names):
            words.update(w for w in _strings(part.co_consts) if w.isidentifier())
    return Mentions(
        tuple(sorted({chain[0] for chain in uses.chains if not chain[0].startswith("@")})),
        tuple(sorted(names)),
        tuple(sorted(words)),
        tuple(Import(module, level) for module, level in sorted(uses.imports)),
        uses,
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
    except (OSError, TypeError, AttributeError, IndexError, SyntaxError, tokenize.TokenError):
        return ""
    return section(label, "".join(lines).rstrip("\n"), max(1, first))


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
