"""a type -> the path it is imported by, and back, without importing anything."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from ..errors import TreeTypeMissing

_NAME = r"[\w.]+:[\w.<>]+"


def name_of(thing: Any) -> str:
    """``module:qualified.name`` of a type or a function."""
    return f"{thing.__module__}:{thing.__qualname__}"


def is_type_name(name: Any) -> bool:
    """Whether this is text that `name_of` could have written."""
    return isinstance(name, str) and re.fullmatch(_NAME, name) is not None


def is_importable(name: str) -> bool:
    """Whether another process can find it: what is local to a function has no path."""
    return "<" not in name


def find_defined(name: str) -> Any:
    """What this name means in a module that is imported already; None where it means nothing."""
    module_name, _, path = name.partition(":")
    found: Any = sys.modules.get(module_name)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def find_named(name: str, known: Mapping[str, Any]) -> Any:
    """The type or function of this name, from ``known`` or a module that is imported already.

    Raises TreeTypeMissing with what to import. Nothing is imported on an artifact's say-so.
    """
    if name in known:
        return known[name]
    module_name, _, path = name.partition(":")
    shown = name.replace(":", ".")
    if not is_importable(name):
        raise TreeTypeMissing(
            f"The outputs or inputs use {shown}, which is local to a function.",
            "Define it at the top of a module, and compile again.",
            type=name,
        )
    if sys.modules.get(module_name) is None:
        raise TreeTypeMissing(
            f"The outputs or inputs use {shown}, and its module is not imported.",
            f"Import {module_name} before loading; nothing is imported for you.",
            type=name,
        )
    found = find_defined(name)
    if found is None:
        where = "in this session" if module_name == "__main__" else f"in {module_name}"
        raise TreeTypeMissing(
            f"The outputs or inputs use {shown}, which is not defined {where}.",
            f"Define {path} {where} before loading, as it was when the model was compiled.",
            type=name,
        )
    return found
