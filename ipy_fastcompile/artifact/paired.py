"""Two artifacts -> their programs in pairs, by name, and the texts that belong to each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .inspect import ArtifactInfo

# A text of the program at a position, which for the first one is not in its name.
_TEXT_OF_PROGRAM = re.compile(r"(?:programs/(\d{1,4})/)?((?:execution\.py|kernels/).*)", re.DOTALL)


def program_labels(a: ArtifactInfo, b: ArtifactInfo) -> tuple[list[str], list[str]]:
    """What each calls its programs: by their names, or where one of them has none, by position."""
    names = [[program.name for program in info.outline.programs] for info in (a, b)]
    if all(all(own) and len({*own}) == len(own) for own in names):
        return names[0], names[1]
    return [str(n) for n in range(len(names[0]))], [str(n) for n in range(len(names[1]))]


def paired_programs(a: ArtifactInfo, b: ArtifactInfo) -> Iterator[tuple[str, Any, Any]]:
    """Label and manifest entry in ``a`` and ``b``; None where one of the two has no such program.

    Nothing where a manifest lists no programs, in which case it is compared as it is.
    """
    found = []
    for info, labels in zip((a, b), program_labels(a, b), strict=True):
        entries = info.manifest.get("programs")
        if not isinstance(entries, list) or len(entries) != len(labels):
            return
        found.append(dict(zip(labels, entries, strict=True)))
    for label in {**found[0], **found[1]}:
        yield label, found[0].get(label), found[1].get(label)


def shared_name(member: str, labels: Sequence[str]) -> str:
    """What a text is called to find its like: ``call_1/execution.py`` where programs have names."""
    match = _TEXT_OF_PROGRAM.fullmatch(member)
    position = int(match[1] or 0) if match else 0
    if match is None or position >= len(labels) or labels[position].isdigit():
        return member
    return f"{labels[position]}/{match[2]}"
