"""Bytes of JSON -> plain data, counted before it is parsed; and parts of it, by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from . import limits


class BadJson(ValueError):
    """Why a text is not read as JSON; never leaves this room."""


def parse(data: bytes) -> Any:
    """The value. Raises `BadJson` with a reason."""
    if len(data) > limits.MAX_TEXT_BYTES * 4:
        raise BadJson(f"{len(data)} bytes of JSON are past what is read")
    values = sum(data.count(mark) for mark in (b",", b"[", b"{"))
    if values > limits.MAX_JSON_VALUES:
        raise BadJson(f"JSON of about {values} values is past what is read")
    if _depth(data) > limits.MAX_JSON_DEPTH:
        raise BadJson(f"JSON nested deeper than {limits.MAX_JSON_DEPTH} is not read")
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadJson(f"it is not JSON ({type(error).__name__})") from error


def _depth(data: bytes) -> int:
    """An upper bound of how deep it is nested: brackets inside of strings count, too."""
    depth = deepest = 0
    for piece in data.translate(_DEPTHS, _OTHERS):
        depth += 1 if piece == _OPEN else -1
        deepest = max(deepest, depth)
    return deepest


_OPEN, _CLOSE = b"[]"
_DEPTHS = bytes(
    _OPEN if code in b"[{" else _CLOSE if code in b"]}" else code for code in range(256)
)
_OTHERS = bytes(code for code in range(256) if code not in b"[{]}")


def part(value: Any, *keys: str) -> Any:
    """``value[key][key]...`` where they are dicts that have it, else None."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def rows(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def items(value: Any) -> Iterator[tuple[str, Any]]:
    """The pairs of a dict; none of anything else."""
    if isinstance(value, dict):
        yield from value.items()


def said(value: Any, limit: int = 300) -> str:
    """A scalar as text; a container as JSON, cut."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    return text if len(text) <= limit else f"{text[:limit]}…"
