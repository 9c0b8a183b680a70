"""Dynamo's record of where a value is from -> its kind and name, ``self.lin.weight``."""

from __future__ import annotations

from typing import Any

from .stubs import Made, Name, Outside, fields

_KINDS = {"_parameters": "parameter", "_buffers": "buffer"}


def source_text(source: Any) -> tuple[str, str]:
    """(kind, name) of where Dynamo takes an argument from: ``("parameter", "self.lin.weight")``."""
    path: list[str] = []
    kind = "input"
    for _ in range(40):
        if not isinstance(source, Made) or not isinstance(source.args, tuple):
            break
        args = list(source.args) + [part for _, part in fields(source)]
        inner = next((arg for arg in args if isinstance(arg, Made)), None)
        names = [arg for arg in args if isinstance(arg, (str, int)) and not isinstance(arg, bool)]
        label = names[0] if names else None
        if isinstance(label, str) and label in _KINDS:
            kind = _KINDS[label]
        elif label is not None and label != "_modules":
            path.append(f"[{label}]" if isinstance(label, int) else label[:200])
        source = inner
    return kind, ".".join(reversed(path)).replace(".[", "[")


def guard_source(source: Any) -> str:
    """``L['self'].lin`` and the like, of Dynamo's source objects."""
    if isinstance(source, str):
        return source[:300]
    if isinstance(source, (Name, Outside)) or source is None:
        return ""
    return source_text(source)[1]
