"""An object of a manifest -> its fields, each of the kind that it must have.

Nothing raises here: what does not fit is noted, and reads as empty. So one reader serves a load,
which refuses what has a note, and a summary, which shows what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..limits import MAX_MEMBERS
from .values import LIST, OBJECT, TEXT, Kind, said

# A manifest that is wrong in more places than these is just as wrong.
_MOST_NOTES = 100
_NOTHING: Any = object()
# In the place of an object that is part of one of which it is noted already that it is missing.
_NOTED: Any = object()


class Notes(list[str]):
    """What is wrong with a manifest, the place first, in the order of the fields."""

    def add(self, place: str, what: str) -> None:
        """Note what the field at ``place`` is, unless there are notes enough."""
        if len(self) < _MOST_NOTES:
            self.append(f"{place} {what}")


class Fields:
    """Typed access to one object; ``place`` is where it is in the manifest."""

    def __init__(self, data: Any, place: str, notes: Notes) -> None:
        self.place = place
        self.notes = notes
        self._data: dict[str, Any] | None = data if isinstance(data, dict) else None
        if self._data is None and data is not _NOTED:
            notes.add(place, "is missing" if data is _NOTHING else f"is {said(data)}, no object")

    def get(self, name: str, kind: Kind) -> Any:
        """The field ``name``, empty where it is missing or of another kind."""
        if self._data is None:
            return kind.empty
        value = self._data.get(name, _NOTHING)
        found = type(value)
        if found in kind.types and (kind.is_any or kind.fits((value,))):
            return tuple(value) if found is list else value
        self._wrong_kind(name, kind, value)
        return kind.empty

    def has(self, name: str) -> bool:
        """Whether there is such a field, for those that may be left out."""
        return self._data is not None and name in self._data

    def texts_by_name(self, name: str) -> dict[str, str]:
        """The field ``name``, an object whose values are strings."""
        found: dict[str, str] = self.get(name, OBJECT)
        if TEXT.fits(tuple(found.values())):
            return found
        self.wrong(name, "has a value that is no string")
        return {}

    def columns(self, name: str, kinds: Sequence[Kind]) -> list[tuple[Any, ...]]:
        """The field ``name``, a list of rows with these columns, by column; [] without any.

        A deep model has hundreds of rows: whole columns are checked and made at once.
        """
        rows = self.get(name, LIST)
        if not rows:
            return []
        if {list}.issuperset(map(type, rows)) and {len(kinds)}.issuperset(map(len, rows)):
            columns = list(zip(*rows, strict=True))
            if all(kind.fits(column) for kind, column in zip(kinds, columns, strict=True)):
                return [kind.plain(column) for kind, column in zip(kinds, columns, strict=True)]
        self._wrong_row(name, rows, kinds)
        return []

    def rows(self, name: str, make: Callable[..., Any], kinds: Sequence[Kind]) -> tuple[Any, ...]:
        """The same, each row as ``make`` makes it."""
        return tuple(map(make, *columns)) if (columns := self.columns(name, kinds)) else ()

    def each(self, name: str) -> Iterator[Fields]:
        """The objects of the list ``name``, at most as many as an artifact has members."""
        entries = self.get(name, LIST)
        if len(entries) > MAX_MEMBERS:
            self.wrong(name, f"has {len(entries)} entries, more than {MAX_MEMBERS}")
        for position, entry in enumerate(entries[:MAX_MEMBERS]):
            yield Fields(entry, f"{self.at(name)}[{position}]", self.notes)

    def inside(self, name: str) -> Fields:
        """The object ``name``."""
        data = _NOTED if self._data is None else self._data.get(name, _NOTHING)
        return Fields(data, self.at(name), self.notes)

    def at(self, name: str) -> str:
        """Where the field ``name`` is in the manifest."""
        return f"{self.place}.{name}" if self.place else name

    def wrong(self, name: str, what: str) -> None:
        """Note what is wrong with the field ``name``."""
        self.notes.add(self.at(name), what)

    def _wrong_kind(self, name: str, kind: Kind, value: Any) -> None:
        if value is _NOTHING:
            self.wrong(name, "is missing")
        elif type(value) in kind.types:  # a list, of other entries
            self.wrong(name, f"is not {kind.what}")
        else:
            self.wrong(name, f"is {said(value)}, not {kind.what}")

    def _wrong_row(self, name: str, rows: Sequence[Any], kinds: Sequence[Kind]) -> None:
        for position, row in enumerate(rows):
            if type(row) is not list or len(row) != len(kinds):
                self.wrong(f"{name}[{position}]", f"is no list of {len(kinds)}")
                return
            for column, (kind, value) in enumerate(zip(kinds, row, strict=True)):
                if not kind.fits((value,)):
                    self._wrong_kind(f"{name}[{position}][{column}]", kind, value)
                    return
