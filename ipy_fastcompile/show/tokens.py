"""code -> coloured runs: for every line its text and, flat, (length, class) of each run.

The runs carry no markup, so every renderer escapes the text itself, and they are small: the 250
lines of an Inductor module take a fifth of what Pygments' HTML takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..artifact.inert import inert_lines

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

# The index of a class is what a run holds; "plain" text is 0.
CLASSES = ("plain", "comment", "keyword", "string", "number", "name", "builtin")

# Lines are cut here: a constant of a megabyte on one line would freeze any browser.
LONGEST_LINE = 4_000
# Above this many characters code is shown in one colour; Pygments takes about 1 s for 200 kB.
LONGEST_HIGHLIGHT = 1_000_000

Runs = tuple[int, ...]
Line = tuple[str, Runs]


def tokenise(code: str, language: str) -> list[Line]:
    """Lines of ``code`` with their runs; without runs in a language but "python" and "cpp"."""
    code = inert_lines(code)
    if language not in ("python", "cpp") or len(code) > LONGEST_HIGHLIGHT:
        return [(_cut(line), ()) for line in code.split("\n")]
    lines: list[Line] = []
    text: list[str] = []
    runs: list[int] = []
    for kind, value in _tokens(code, _lexer(language)):
        for number, piece in enumerate(value.split("\n")):
            if number:
                lines.append((_cut("".join(text)), _trim(runs)))
                text, runs = [], []
            if not piece:
                continue
            text.append(piece)
            if runs and runs[-1] == kind:
                runs[-2] += len(piece)
            else:
                runs += [len(piece), kind]
    if text:
        lines.append((_cut("".join(text)), _trim(runs)))
    return lines


def _cut(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:LONGEST_LINE]} … {len(line) - LONGEST_LINE:,} more characters"


def _trim(runs: list[int]) -> Runs:
    """Plain text at the end needs no run."""
    return tuple(runs[:-2] if runs and runs[-1] == 0 else runs)


def _lexer(language: str) -> Lexer:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language, stripnl=False, ensurenl=False)


def _tokens(code: str, lexer: Lexer) -> Iterator[tuple[int, str]]:
    """(class, text) pairs; kernels inside triple-quoted strings are lexed as what they are."""
    from pygments.token import String, is_token_subtype

    held: list[str] = []  # consecutive pieces of one string
    for token, text in lexer.get_tokens(code):
        if is_token_subtype(token, String) and not is_token_subtype(token, String.Affix):
            held.append(text)
            continue
        if held:
            yield from _string("".join(held))
            held = []
        yield _class_of(token), text
    if held:
        yield from _string("".join(held))


def _string(text: str) -> Iterator[tuple[int, str]]:
    language = None
    if text[:3] in {"'''", '"""'} and text.count("\n") > 2:
        if "#include" in text or 'extern "C"' in text:
            language = "cpp"
        elif "import triton" in text:
            language = "python"
    if language is None:
        yield CLASSES.index("string"), text
        return
    quotes, inside = text[:3], text[3:]
    closing = quotes if inside.endswith(quotes) else ""
    yield CLASSES.index("string"), quotes
    yield from _tokens(inside.removesuffix(quotes), _lexer(language))
    if closing:
        yield CLASSES.index("string"), closing


def _class_of(token: _TokenType) -> int:
    """Pygments knows hundreds of token types; a reader of generated code needs six."""
    from pygments.token import (
        Comment,
        Keyword,
        Name,
        Number,
        Operator,
        String,
        is_token_subtype,
    )

    classes = (
        (Comment, "comment"),
        (Keyword.Constant, "builtin"),
        (Keyword, "keyword"),
        (Operator.Word, "keyword"),
        (String, "string"),
        (Number, "number"),
        (Name.Function, "name"),
        (Name.Class, "name"),
        (Name.Decorator, "builtin"),
        (Name.Builtin, "builtin"),
    )
    for kind, name in classes:
        if is_token_subtype(token, kind):
            return CLASSES.index(name)
    return 0
