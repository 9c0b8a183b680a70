"""a public object -> what a notebook shows of it as the last line of a cell, and a terminal.

A page gets all of it; a terminal a few lines, which say how to see the rest. Those who draw import
none of the objects, so each is known here by what is shown of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..artifact.inert import inert
from ..artifact.inspect import ArtifactInfo
from ..artifact.summary import summary_rows
from ..artifact.units import format_bytes
from ..errors import ArtifactCorrupt, CacheError
from ..records import Report
from .card import Card, card_bundle, card_html, card_text, text_bundle
from .facts import alarms, programs_of, summary_line
from .html import render_html
from .markup import html_details, html_text
from .programs import inputs_line
from .tables import Cell, Table
from .units import format_count, format_seconds

_PROGRAMS = 6  # in a terminal, of several


class Compiled(Protocol):
    """What was compiled, now or earlier."""

    report: Report


class Result(Protocol):
    """What `compile_cached` returned."""

    @property
    def model(self) -> Compiled:
        """The compile."""


class Loaded(Protocol):
    """What `load` returned."""

    model: str
    via: str
    timings: dict[str, float]
    notes: tuple[str, ...]
    kernel_ways: tuple[str, ...]

    @property
    def programs(self) -> Mapping[str, Any]:
        """Each program by name."""


class Recorded(Protocol):
    """What `record` saw."""

    model: str

    def __len__(self) -> int:
        """How many kinds there are."""

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
        """Heads, rows, and what is said below them."""


class Cache(Protocol):
    """A cache directory."""

    directory: Path
    cap_bytes: int

    def entries(self) -> Sequence[Any]:
        """Every entry."""


def show_report(report: Report) -> dict[str, str]:
    """The report on a page, and what it is about in a terminal."""
    hint = "print(report) shows all of it, report.to_html(path) writes the explorer as a page."
    return {"text/plain": _few_lines(report, hint), "text/html": render_html(report)}


def show_compiled(compiled: Compiled) -> dict[str, str]:
    """The report of a compile; a terminal is told what can be done with it."""
    hint = "Call it like the model. print(compiled) shows the report, compiled.save(path) keeps it."
    report = compiled.report
    return {"text/plain": _few_lines(report, hint), "text/html": render_html(report)}


def show_result(result: Result) -> dict[str, str]:
    """The report of a compile, behind what the cache said."""
    return {"text/plain": str(result), "text/html": render_html(result.model.report)}


def _few_lines(report: Report, hint: str) -> str:
    programs = programs_of(report)
    rows = [(p.name or "takes", inputs_line(p.inputs)) for p in programs[:_PROGRAMS]]
    rest = len(programs) - _PROGRAMS
    rows += [("", f"and {format_count(rest, 'more program')}")] if rest > 0 else []
    text = card_text(Card(summary_line(report), rows, hint=hint))
    return "\n".join([*alarms(report), text])


def show_loaded(loaded: Loaded) -> dict[str, str]:
    """What a loaded function takes, how it was loaded and how long that took."""
    programs = loaded.programs
    steps = ", ".join(f"{name} {format_seconds(s)}" for name, s in loaded.timings.items())
    ways = {way: loaded.kernel_ways.count(way) for way in dict.fromkeys(loaded.kernel_ways)}
    rows = [(name or "takes", program.takes) for name, program in programs.items()]
    rows += [
        ("kernels", ", ".join(f"{count} {way}" for way, count in ways.items()) or "none"),
        ("load", f"{format_seconds(sum(loaded.timings.values()))} ({steps})"),
        *(("note", note) for note in loaded.notes),
    ]
    title = f"{loaded.model}, loaded along the {loaded.via} path"
    return card_bundle(Card(title, rows, hint="Call it like the model."))


def show_artifact(info: ArtifactInfo) -> dict[str, str]:
    """What can be read in an artifact, and on a page the report that it holds."""
    card = Card(*summary_rows(info))
    try:
        report = info.report
    except ArtifactCorrupt as error:
        held = f"<p>{html_text(error.what)}</p>"
    else:
        title = "The report of the compile that it holds"
        held = html_details(title, render_html(report), is_open=False) if report else ""
    return {"text/plain": str(info), "text/html": card_html(card, held)}


def show_calls(calls: Recorded) -> dict[str, str]:
    """The kinds of calls as a table."""
    heads, rows, below = calls.table
    table = Table(heads, tuple(tuple(map(Cell, row)) for row in rows), frozenset({1}))
    title = f"{format_count(len(calls), 'kind')} of calls of {calls.model}"
    card = Card(title, table=table, hint=" ".join(below)) if rows else Card(repr(calls))
    return {"text/plain": repr(calls), "text/html": card_html(card)}


def show_store(store: Cache) -> dict[str, str]:
    """The entries of a cache, the most recently used first."""
    try:
        entries = store.entries()
    except CacheError as error:
        return card_bundle(Card(f"Cache in {store.directory}", hint=str(error)))
    lines = [
        (e.digest[:12], format_bytes(e.size), e.last_used, inert(e.problem or e.what, limit=200))
        for e in entries
    ]
    rows = tuple(tuple(map(Cell, line)) for line in lines)
    count = format_count(len(entries), "entry", "entries")
    size = f"{format_bytes(sum(e.size for e in entries))} of {format_bytes(store.cap_bytes)}"
    table = Table(("key", "size", "used", "model"), rows, frozenset({1}))
    title = f"Cache in {store.directory}: {count}, {size}"
    return card_bundle(Card(title, table=table if rows else None))


def show_text(shown: Any) -> dict[str, str]:
    """An object that prints as its table."""
    return text_bundle(str(shown))
