"""A Python literal as text -> its value: numbers, text, None, tuples, lists and dicts.

Not `ast`: its parser recurses as deep as a stranger wants. This one keeps its own stack.
"""

from __future__ import annotations

import re
from typing import Any

from . import limits
from .stubs import Pairs


class NoLiteral(ValueError):
    """Why the text is none; never leaves this room."""


_TOKEN = re.compile(
    r"\s*(?:(?P<string>[bru]{0,2}(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"))"
    r"|(?P<number>-?\d{1,400}(?:\.\d{0,400})?(?:[eE][-+]?\d{1,4})?)"
    r"|(?P<name>True|False|None|inf|nan|Range(?=\s?\())"
    r"|(?P<label>[A-Za-z_]\w{0,80})\s?=(?!=)"
    r"|(?P<mark>[()\[\]{},:]))",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|U0010[0-9a-fA-F]{4}|.)", re.DOTALL
)
_NAMES: dict[str, Any] = {"True": True, "False": False, "None": None, "Range": None}
_NAMES |= {"inf": float("inf"), "nan": float("nan")}
_CLOSES = {"(": ")", "[": "]", "{": "}"}


def parse_literal(text: str) -> Any:
    """The value; a dict is `stubs.Pairs`. Raises `NoLiteral`."""
    value, at = read_literal(text, 0)
    if text[at:].strip():
        raise NoLiteral(f"something is behind it, at {at}")
    return value


def read_literal(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at ``at``, and where it ends. Raises `NoLiteral`."""
    # (opening mark, values, commas seen) of everything that is open.
    open_ones: list[tuple[str, list[Any], list[int]]] = [("", [], [])]
    for _ in range(limits.MAX_JSON_VALUES):
        if not open_ones[1:] and open_ones[0][1]:
            return open_ones[0][1][0], at
        match = _TOKEN.match(text, at)
        if match is None:
            raise NoLiteral(f"what is at {at} is no literal")
        at = match.end()
        opening, values, commas = open_ones[-1]
        if match["string"] is not None:
            piece = _string(match["string"])
            values.append(piece)
        elif match["number"] is not None:
            values.append(_number(match["number"]))
        elif match["name"] is not None:
            if match["name"] != "Range":
                values.append(_NAMES[match["name"]])
        elif match["mark"] in _CLOSES:
            if len(open_ones) > limits.MAX_JSON_DEPTH:
                raise NoLiteral("it is nested too deep")
            open_ones.append((match["mark"], [], []))
        elif match["mark"] in (",", ":"):
            commas.append(len(values))
        elif match["mark"] is not None:
            if not opening or _CLOSES[opening] != match["mark"]:
                raise NoLiteral(f"the mark at {at} closes nothing")
            open_ones.pop()
            open_ones[-1][1].append(_closed(opening, values, commas))
    raise NoLiteral("it has too many parts")


def _closed(opening: str, values: list[Any], commas: list[int]) -> Any:
    if opening == "[":
        return values
    if opening == "(":
        return values[0] if len(values) == 1 and not commas else tuple(values)
    if len(values) % 2:
        raise NoLiteral("a key of it has no value")
    made = Pairs()
    made.pairs = list(zip(values[::2], values[1::2], strict=True))
    return made


def _number(text: str) -> int | float:
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except (ValueError, OverflowError) as error:
        raise NoLiteral("a number of it is none") from error


def _string(text: str) -> str:
    prefix = re.split(r"['\"]", text, maxsplit=1)[0]
    body = text[len(prefix) + 1 : -1]
    return body if "r" in prefix else _ESCAPE.sub(_unescape, body)


def _unescape(match: re.Match[str]) -> str:
    body = match[1]
    if body[0] in "xuU" and len(body) > 1:
        return chr(int(body[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "\n": ""}.get(body, body)
