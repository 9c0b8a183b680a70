"""a use of `os.environ` or `os.getenv` -> the names of the variables, if the text has them."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from .words import word_set

# Attributes that are the environment, whatever they are attributes of.
ENVIRONMENT = word_set("environ environb getenv getenvb putenv expandvars expanduser")
_LOOKS_UP = word_set("get __getitem__ __contains__ setdefault pop")
_MADE_UP = "it reads variables of the environment whose names are not in its text"


def is_environment(value: Any) -> bool:
    """Whether a value is the environment, or the function that looks into it."""
    return value is os.getenv or isinstance(value, type(os.environ))


def variables(
    value: Any, rest: tuple[str, ...], words: Collection[str | None]
) -> tuple[tuple[str, ...], str]:
    """(the variables that are read, why these are not all) where ``value.rest`` is used.

    ``words`` are the strings in these uses, with None for what is no string of the text.
    """
    if value is os.getenv:
        is_read = True
    elif isinstance(value, type(os.environ)):
        is_read = not rest or rest[0] in _LOOKS_UP
    else:
        return (), ""
    names = tuple(sorted(word for word in words if word is not None))
    return names, "" if is_read and None not in words else _MADE_UP
