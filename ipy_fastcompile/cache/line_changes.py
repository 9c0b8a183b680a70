"""two texts of a key -> the lines that differ, each with its place: a source line or a flag."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest

from ..artifact.inert import inert
from ..frozen import frozen

# The section with the digests of code objects; what a reader wants are the lines they came from.
CODE = "compiled code"
_SECTION = re.compile(r"@@ (.*?)(?::([0-9]{1,9}))?")
_FLAG = re.compile(r"\s*([\w.:/\[\]'(),<>*-]+(?: [\w.:/\[\]'(),<>*-]+)*)\s*=\s*(.*)")
_SHOWN_CHARACTERS = 160
_ALIKE = 24  # characters that two long texts share, shown before the first that differs
# SequenceMatcher takes quadratic time; past this, lines are matched wherever they are.
_MAX_ALIGNED = 4_000_000


@frozen
class LineChange:
    """A line that differs; None where one side has none. `str` tells it, ready to show.

    ``place`` is where it is, ``helper.py:44: ``, and empty where its name says that. ``name`` is
    that of a flag, whose values ``old`` and ``new`` are.
    """

    place: str
    old: str | None
    new: str | None
    name: str = ""

    def __str__(self) -> str:
        if self.old is not None and self.new is not None:
            name = f"{shown(self.name)}: " if self.name else ""
            return f"{self.place}{name}{became(self.old, self.new)}"
        verb, text = ("added", self.new) if self.old is None else ("removed", self.old)
        line = f"{self.name} = {text}" if self.name else text or ""
        return f"{self.place}{verb} {shown(line)}"


def line_changes(before: str, after: str) -> list[LineChange]:
    """Every line that differs; where a section begins counts only if nothing else does."""
    old, new = (text.split("\n") if text else [] for text in (before, after))
    places = _places(old), _places(new)
    pairs = list(_pairs(*(list(map(_without_number, lines)) for lines in (old, new))))
    found: list[LineChange] = []
    for i, j in pairs or _pairs(old, new):
        found += _told(
            None if i is None else _read(places[0][i], old[i]),
            None if j is None else _read(places[1][j], new[j]),
        )
    return _moved(found)


def _moved(found: list[LineChange]) -> list[LineChange]:
    """The same, where a flag that went and came elsewhere is one change, or none if unchanged."""
    gone = {line.name: line for line in found if line.name and line.new is None}
    come = {line.name: line for line in found if line.name and line.old is None}
    both = gone.keys() & come.keys()
    joined = []
    for line in found:
        if line.name not in both or None not in (line.old, line.new):
            joined.append(line)
        elif line is come[line.name] and line.new != gone[line.name].old:
            joined.append(LineChange(line.place, gone[line.name].old, line.new, line.name))
    return joined


@frozen
class _Line:
    place: str
    text: str
    section: str = ""  # of a line that opens one: its label
    name: str = ""  # of a flag


def _read(place: str, text: str) -> _Line:
    opens = _SECTION.fullmatch(text)
    if opens:
        return _Line("", f"line {opens[2]}" if opens[2] else "", opens[1])
    flag = _FLAG.fullmatch(text) if place.startswith(("line ", f"{CODE}:")) else None
    if flag is None:
        return _Line(place, text)
    return _Line(f"{CODE}: " if place.startswith(CODE) else "", flag[2].strip(), name=flag[1])


def _told(old: _Line | None, new: _Line | None) -> Iterator[LineChange]:
    """What became of a line; the two stand in one place, and may have nothing to do otherwise."""
    if old is not None and new is not None:
        if old.section and old.section == new.section:
            yield LineChange(f"{inert(new.section)}: ", old.text, new.text)
            return
        are_lines = not (old.section or new.section)
        if are_lines and old.name == new.name and (old.place or new.place or new.name):
            # Indentation matters only where nothing else differs.
            keep = old.text.strip() == new.text.strip()
            a, b = (text if keep else text.strip() for text in (old.text, new.text))
            yield LineChange(new.place, a, b, new.name)
            return
    if old is not None and not old.section:
        yield LineChange(old.place, old.text.strip(), None, old.name)
    if new is not None and not new.section:
        yield LineChange(new.place, None, new.text.strip(), new.name)


def _pairs(old: list[str], new: list[str]) -> Iterator[tuple[int | None, int | None]]:
    """The positions of lines that differ, None where one side has none."""
    for i1, i2, j1, j2 in _blocks(old, new):
        yield from zip_longest(range(i1, i2), range(j1, j2))


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


def _without_number(line: str) -> str:
    """A line that opens a section without the number that it begins at."""
    match = _SECTION.fullmatch(line) if line.startswith("@@ ") else None
    return f"@@ {match[1]}" if match else line


def became(old: str, new: str) -> str:
    """``old -> new``; of two long texts that begin alike, what comes before they differ is cut."""
    if max(len(old), len(new)) > _SHOWN_CHARACTERS:
        alike = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
        cut = max(0, alike - _ALIKE)
        old, new = (f"…{text[cut:]}" if cut else text for text in (old, new))
    return f"{shown(old)} -> {shown(new)}"


def shown(text: str) -> str:
    """A text on one line, inert and not too long."""
    return inert(text, limit=_SHOWN_CHARACTERS) or "(empty)"
