"""texts of an artifact -> those that no generator wrote, and the line that says so.

The texts are parsed, and nothing of them is run. A load does not ask: what is signed runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..errors import ArtifactCorrupt
from ..grammar.check import check_grammar

# Members that hold generated text which a load runs, see FORMAT.md.
_GENERATED = re.compile(r"(?:programs/\d+/)?(?:execution\.py|kernels/(?:[^/]+/)+native\.py)")
_LARGEST = 16 << 20  # 40 times the execution code of 80 layers; parsing takes 100 times a text


def find_edited(names: Iterable[str], read: Callable[[str], str]) -> dict[str, str]:
    """Member -> what is in its text that its generator never writes; only such members.

    ``read`` gives the text of a member, or raises `ArtifactCorrupt`.
    """
    found = {}
    for name in filter(_GENERATED.fullmatch, names):
        try:
            text = read(name)
            if len(text) > _LARGEST:
                found[name] = f"{name} is too long for a generated text: {len(text)} characters."
            else:
                check_grammar(text, name, kernel=not name.endswith("execution.py"))
        except ArtifactCorrupt as error:  # GrammarError, and what is no text
            found[name] = error.what
    return found
