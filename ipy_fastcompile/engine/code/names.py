"""anything a value may be called -> an identifier that collides with nothing.

Invariants of a `Namespace`: every name it gives is an ASCII identifier, no keyword, no builtin,
none of the words that generated text uses for itself, and given to one key only; the same key gets
the same name again.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Hashable

# What generated text calls its own: its functions and their arguments, and what it imports.
OWN_WORDS = frozenset(
    {"torch", "math", "check", "check_inputs", "bind", "forward", "kernels", "parameters",
     "constants", "mark"}
)  # fmt: skip
RESERVED = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *OWN_WORDS})
# Functions and slots are numbered, and no value may look like one.
_NUMBERED = re.compile(r"(inlined|kernel|constant|submod)_[0-9]+")


class Namespace:
    """Gives every value of a function its name."""

    def __init__(self) -> None:
        self._taken = set(RESERVED)
        self._names: dict[Hashable, str] = {}

    def name(self, key: Hashable, wish: str) -> str:
        """The name for ``key``: as close to ``wish`` as the invariants allow."""
        if key not in self._names:
            word = _identifier(wish)
            if _NUMBERED.fullmatch(word):
                word = f"v_{word}"
            self._names[key] = self._free(word)
        return self._names[key]

    def own(self, key: Hashable, word: str) -> str:
        """Reserve a name of the text's own, such as ``kernel_0``; no wish can get it."""
        self._taken.add(word)
        return self._names.setdefault(key, word)

    def alias(self, key: Hashable, known: Hashable) -> None:
        """Let ``key`` have the name that ``known`` has."""
        self._names[key] = self._names[known]

    def get(self, key: Hashable) -> str | None:
        """The name that ``key`` has already, or None."""
        return self._names.get(key)

    def _free(self, word: str) -> str:
        found, count = word, 1
        base = word.rstrip("_") or "v"
        while found in self._taken:
            found, count = f"{base}_{count}", count + 1
        self._taken.add(found)
        return found


def _identifier(wish: str) -> str:
    word = re.sub(r"[^0-9A-Za-z_]", "_", wish)
    if word.startswith(
        "__"
    ):  # the grammar refuses dunders, and two underscores are enough to scare
        return f"v{word}"
    return word if word and not word[0].isdigit() else f"v_{word}"
