"""Two keys -> the components that differ, old -> new, down to the source line or the flag."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from ..artifact.inert import inert
from ..frozen import frozen
from .changed_kinds import OF_KINDS, describe_kinds, other_kinds, without_kinds

_SECTION = re.compile(r"@@ (.*?)(?::([0-9]{1,9}))?")
_FLAG = re.compile(r"\s*([\w.:/\[\]'(),<>*-]+(?: [\w.:/\[\]'(),<>*-]+)*)\s*=\s*(.*)")
# The section with the digests of code objects; what a reader wants are the lines they came from.
_CODE = "compiled code"
_SHOWN_LINES = 20
_SHOWN_CHARACTERS = 160
# SequenceMatcher takes quadratic time; past this, lines are matched wherever they are.
_MAX_ALIGNED = 4_000_000


@frozen
class Change:
    """A component that differs. ``lines`` say how, inert and ready to show.

    ``old`` and ``new`` are the whole texts, None where the component is absent or not recorded.
    """

    component: str
    old: str | None
    new: str | None
    lines: tuple[str, ...]

    def __str__(self) -> str:
        name = inert(self.component)
        if len(self.lines) == 1:
            return f"{name}: {self.lines[0]}"
        return "\n".join([f"{name}:", *(f"  {line}" for line in self.lines)])


def diff_components(
    old: Mapping[str, str | None], new: Mapping[str, str | None]
) -> tuple[Change, ...]:
    """Every component that differs, in the order of ``new``; a None text is not recorded."""
    kinds = other_kinds(old, new), other_kinds(new, old)
    return tuple(
        Change(name, old.get(name), new.get(name), tuple(_describe(name, old, new, kinds)))
        for name in {**new, **old}
        if name not in old or name not in new or old[name] != new[name]
    )


def _describe(
    name: str,
    old: Mapping[str, str | None],
    new: Mapping[str, str | None],
    kinds: tuple[tuple[str, ...], tuple[str, ...]],
) -> list[str]:
    if name not in old:
        return ["a component that the entry does not have"]
    if name not in new:
        return ["a component that only the entry has"]
    before, after = old[name], new[name]
    if before is None or after is None:
        return ["differs; the text is not recorded in the entry"]
    lines: list[str] = []
    if name in OF_KINDS and any(kinds):
        gone, come = kinds
        told = (
            *describe_kinds(before, gone, "only the entry has"),
            *describe_kinds(after, come, "the entry does not have"),
        )
        lines = [_shown(line) for line in told]
        before, after = without_kinds(before, gone), without_kinds(after, come)
    if "\n" not in before and "\n" not in after:
        return [*lines, f"{_shown(before)} -> {_shown(after)}"] if before != after else lines
    lines += _line_changes(before, after)
    lines = [line for line in lines if not line.startswith(f"{_CODE}:")] or lines
    lines = lines or ["the same lines in another order"]
    rest = len(lines) - _SHOWN_LINES
    return lines if rest <= 0 else [*lines[:_SHOWN_LINES], f"and {rest} more lines"]


def _line_changes(before: str, after: str) -> Iterator[str]:
    old, new = before.split("\n"), after.split("\n")
    places = _places(old), _places(new)
    for i1, i2, j1, j2 in _blocks(old, new):
        pairs = zip_longest(range(i1, i2), range(j1, j2))
        for i, j in pairs:
            if i is None:
                yield f"{_place(places[1][j], new[j])}added {_shown(new[j].strip())}"
            elif j is None:
                yield f"{_place(places[0][i], old[i])}removed {_shown(old[i].strip())}"
            elif _is_flag(places[1][j], old[i], new[j]):
                flag, value = new[j].split("=", 1)
                prefix = f"{_CODE}: " if places[1][j].startswith(_CODE) else ""
                yield (
                    f"{prefix}{_shown(flag.strip())}: "
                    f"{_shown(old[i].split('=', 1)[1].strip())} -> {_shown(value.strip())}"
                )
            elif not (_place(places[0][i], old[i]) or _place(places[1][j], new[j])):
                yield f"removed {_shown(old[i].strip())}"
                yield f"added {_shown(new[j].strip())}"
            else:
                # Indentation matters only where nothing else differs.
                keep = old[i].strip() == new[j].strip()
                a, b = (old[i], new[j]) if keep else (old[i].strip(), new[j].strip())
                yield f"{places[1][j]}{_shown(a)} -> {_shown(b)}"


def _blocks(old: list[str], new: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """(i1, i2, j1, j2) of every block ``old[i1:i2]`` that became ``new[j1:j2]``."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < min(len(old), len(new)) - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    a, b = old[start : len(old) - tail], new[start : len(new) - tail]
    if len(a) * len(b) > _MAX_ALIGNED:
        yield from _unmatched(a, b, start)
        return
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            yield start + i1, start + i2, start + j1, start + j2


def _unmatched(a: list[str], b: list[str], start: int) -> Iterator[tuple[int, int, int, int]]:
    """The lines that only one side has, wherever they are, pair by pair; ``start`` is the first."""
    gone, come = (_lines_without(x, Counter(y), start) for x, y in ((a, b), (b, a)))
    for i, j in zip_longest(gone, come):
        yield (
            *((start, start) if i is None else (i, i + 1)),
            *((start, start) if j is None else (j, j + 1)),
        )


def _lines_without(lines: list[str], others: Counter[str], start: int) -> Iterator[int]:
    for position, line in enumerate(lines, start):
        others[line] -= 1
        if others[line] < 0:
            yield position


def _place(place: str, line: str) -> str:
    """Where a line is; of ``name=value`` outside of any section, its name says that."""
    is_named = place.startswith("line ") and _FLAG.fullmatch(line) is not None
    return "" if is_named else place


def _places(lines: list[str]) -> list[str]:
    """For every line where it is: ``helper.py:44: `` in a section, ``line 3: `` outside."""
    label, first, places = "", 0, []
    for at, line in enumerate(lines):
        match = _SECTION.fullmatch(line)
        if match:
            label, first = match[1], at + 1 - int(match[2] or 1)
            places.append("")
        else:
            places.append(f"{inert(label)}:{at - first}: " if label else f"line {at + 1}: ")
    return places


def _is_flag(place: str, old: str, new: str) -> bool:
    """Whether both are ``name=value`` of one name, outside of any source text."""
    a, b = _FLAG.fullmatch(old), _FLAG.fullmatch(new)
    is_text = not place.startswith(("line ", f"{_CODE}:"))
    return not is_text and a is not None and b is not None and a[1] == b[1]


def _shown(text: str) -> str:
    return inert(text, limit=_SHOWN_CHARACTERS) or "(empty)"
