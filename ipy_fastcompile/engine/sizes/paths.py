"""``past_key_values.layers[0].keys`` -> the places of a call that are meant by it.

``batch['ids']``, ``batch[ids]`` and ``batch.ids`` are one way, ``[0]`` and ``.0`` too, and ``[-1]``
is the last; ``[*]`` is everything that is held there, and ``*`` alone every argument.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...errors import CallError
from .places import Place

_STEP = re.compile(
    r"""\.(?P<name>\w+|\*)|\[(?:(?P<quote>["'])(?P<key>.*?)(?P=quote)|(?P<word>[^\]]+))\]"""
)
_START = re.compile(r"\w+|\*")
_LISTED = 8


def find_places(root: Place, path: str) -> list[Place]:
    """The places below ``root`` that a path names, at least one.

    Raises CallError naming the step that leads nowhere, and what there is instead.
    """
    held = [place for label, place in root.children if label == path]
    if held:  # it is a key as it stands
        return held
    here = [root]
    for step in _steps(path):
        there = [place for one in here for place in _held(one, step)]
        if not there:
            raise _nowhere(path, root, here[0], step)
        here = there
    return here


def listing(name: Any, known: Iterable[Any], opening: str, other: str = "") -> str:
    """What there is, the nearest to what was written first; ``other`` is nearer still."""
    words = [str(k) for k in known]
    near = difflib.get_close_matches(str(name), words, n=1)
    words.sort(key=lambda word: -difflib.SequenceMatcher(None, str(name), word).ratio())
    shown = ", ".join(words[:_LISTED]) or "none"
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    guess = other or (near[0] if near else "")
    return f"{opening} {shown}{more}{f'; did you mean {guess!r}?' if guess else '.'}"


def _steps(path: str) -> Iterator[str | tuple[str]]:
    """The steps of a path; a quoted key is a tuple of it, for it is no number whatever it says."""
    start = _START.match(path)
    position = 0
    if start:
        yield start[0]
        position = start.end()
    while position < len(path) or not path:
        step = _STEP.match(path, position)
        if step is None:
            raise CallError(
                f"dynamic names {path!r:.80}, which is no way to a tensor: {path[position:]!r:.40} "
                "is no step.",
                "Write it as Python has it: past_key_values.layers[0].keys, batch['ids'].",
            )
        yield (step["key"],) if step["quote"] else step["name"] or step["word"]
        position = step.end()


def _held(place: Place, step: str | tuple[str]) -> list[Place]:
    """What a step from a place leads to."""
    if step == "*":
        return [child for _, child in place.children]
    if isinstance(step, tuple):
        return [child for label, child in place.children if label == step[0]]
    found = [child for label, child in place.children if label == step]
    if not found and step.lstrip("-").isdigit():
        number = int(step)
        items = 0 if place.opened is None or place.opened.keys else len(place.opened.items)
        number += items if number < 0 else 0
        found = [child for label, child in place.children if label == number]
    return found


def _nowhere(path: str, root: Place, place: Place, step: str | tuple[str]) -> CallError:
    name = step[0] if isinstance(step, tuple) else step
    if place is root and root.where == "":
        return CallError(
            f"dynamic names {path!r}, which is not an argument of this call."
            if name == path
            else f"dynamic names {path!r}, and {name!r} is not an argument of this call.",
            listing(name, root.labels, "Its arguments are"),
            argument=name,
        )
    deeper = [
        leaf.where for leaf in place.leaves() if leaf.where.endswith((f".{name}", f"[{name!r}]"))
    ]
    where = place.where
    said = f"dynamic names {name!r} in {where}, which is not there."
    if place.opened is None:
        said = f"dynamic names {name!r} in {where}, which holds nothing: it is {_kind(place)}."
    return CallError(
        said,
        listing(name, place.labels, "There are", deeper[0] if deeper else ""),
        argument=where,
    )


def _kind(place: Place) -> str:
    kind = type(place.value).__name__
    return f"a tensor of shape {tuple(place.value.shape)}" if place.is_tensor else f"a {kind}"
