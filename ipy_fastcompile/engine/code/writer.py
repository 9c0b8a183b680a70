"""statements -> lines of a text, and what each of them stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...records import Source
from .wrap import wrap


@dataclass(frozen=True)
class CodeLine:
    """What a line of the execution code stands for. ``line`` counts from 1.

    ``defines`` and ``frees`` are names in the stitching graph, of values that are alive from this
    line on, and no longer after it. Of a statement on several lines the first one says all that,
    and the others are its "rest".
    """

    line: int
    kind: str  # "call" | "del" | "return" | "check" | "inline" | "size" | "rest" | "other"
    submodule: int | None = None
    node: str = ""  # the node in the captured graph, for inlined lines
    source: Source | None = None
    defines: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()


@dataclass
class Writer:
    """A text that grows by lines, each with its record."""

    lines: list[str] = field(default_factory=list)
    records: list[CodeLine] = field(default_factory=list)

    def put(self, text: str = "", kind: str = "other", **record: Any) -> None:
        """A line as it is."""
        self.lines.append(text)
        self.records.append(CodeLine(len(self.lines), kind, **record))

    def add(self, statement: str, kind: str = "other", note: str = "", **record: Any) -> None:
        """A statement, on as many lines as it takes."""
        first, *others = wrap(statement, note)
        self.put(first, kind, **record)
        of_others = {key: record[key] for key in record if key in ("submodule", "node", "source")}
        for text in others:
            self.put(text, "rest", **of_others)

    def gap(self) -> None:
        """Two empty lines, as between functions."""
        self.put()
        self.put()
