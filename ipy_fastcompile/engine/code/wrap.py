"""statement of Python -> its lines, as wide as a page and laid out as formatters do.

A statement that is too long is opened at its brackets: what is in them goes to a line further in,
or to one for each item where that is too long as well. What it means does not change by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

PAGE = 100  # columns
_INDENT = "    "
_OPENING = "([{"
_SEVERAL = re.compile(r"\w+(, \w+)+")


def wrap(statement: str, note: str = "") -> list[str]:
    """The lines of a statement.

    Parameters
    ----------
    statement:
        One line, indented, without a comment.
    note:
        A comment, which the line gets that a traceback shows: the one with what is called. It
        counts for nothing, so that a statement looks the same with it and without.
    """
    text = statement.lstrip(" ")
    indent = statement[: len(statement) - len(text)]
    lines = list(_open(indent, _bracketed(indent, text)))
    called = next((n for n, line in enumerate(lines) if line.startswith(f"{indent}) = ")), 0)
    lines[called] += note
    return lines


def deletions(names: Sequence[str], indent: int) -> list[list[str]]:
    """The names that each of several ``del`` deletes: brackets would make them one tuple."""
    found: list[list[str]] = []
    for name in names:
        longer = f"del {', '.join([*found[-1], name])}" if found else ""
        if found and indent + len(longer) <= PAGE:
            found[-1].append(name)
        else:
            found.append([name])
    return found


def _bracketed(indent: str, text: str) -> str:
    """The statement with brackets around the names it binds, where these alone are too long."""
    names, equals, value = text.partition(" = ")
    callee = value.partition("(")[0]
    is_long = len(f"{indent}{names}{equals}{callee}(") > PAGE
    is_bare = _SEVERAL.fullmatch(names) is not None
    return f"({names}){equals}{value}" if is_bare and is_long else text


def _open(indent: str, text: str) -> Iterator[str]:
    widest = _widest(text) if len(indent) + len(text) > PAGE else None
    if widest is None:
        yield indent + text
        return
    start, end = widest
    yield from _open(indent, text[: start + 1])
    body, inner = text[start + 1 : end], indent + _INDENT
    if len(inner) + len(body) <= PAGE:
        yield inner + body
    else:
        *items, last = _items(body)
        for item in items:
            yield from _open(inner, f"{item},")
        is_grouping = not items and not body.endswith(",") and not _takes_comma(text, start)
        yield from _open(inner, last if is_grouping else f"{last},")
    yield from _open(indent, text[end:])


def _takes_comma(text: str, start: int) -> bool:
    """Whether a comma behind a single item leaves what it is: in a call, a list or a dict."""
    before = text[start - 1] if start else " "
    follows = before.isalnum() or before in "_)]"
    return follows if text[start] == "(" else not follows


def _widest(text: str) -> tuple[int, int] | None:
    """Where the longest bracket that stands in no other one begins and ends; None: it has none."""
    found: list[tuple[int, int]] = []
    opened: list[int] = []
    for position, mark in _marks(text):
        if mark in _OPENING:
            opened.append(position)
        elif mark != "," and opened:  # a text that begins inside a bracket ends that first
            start = opened.pop()
            if not opened and position > start + 1:
                found.append((start, position))
    return max(found, key=lambda bracket: bracket[1] - bracket[0], default=None)


def _items(body: str) -> list[str]:
    """``["a", "f(b, c)"]`` for ``a, f(b, c)``, and for the same with a comma at its end."""
    items, depth, start = [], 0, 0
    for position, mark in _marks(body):
        if mark == ",":
            if not depth:
                items.append(body[start:position].strip())
                start = position + 1
        else:
            depth += 1 if mark in _OPENING else -1
    last = body[start:].strip()
    return [*items, last] if last else items


def _marks(text: str) -> Iterator[tuple[int, str]]:
    """Brackets and commas, and where they are; those in strings are none."""
    quote, position = "", 0
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character in "()[]{},":
            yield position, character
        position += 1
