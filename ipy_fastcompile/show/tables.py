"""View -> tables and the excerpt of the execution code: the report's content, before any markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import KernelRecord, LineRecord, ReloadRecord, Report
from .palette import STAGE_FILLS, Badge, kernel_badge
from .tokens import Runs, tokenise
from .units import TIMES, format_count, format_ratio, format_seconds, shorten
from .view import Row, View, code_lines, folded_rows, item_label, output_bytes, reload_seconds

# Rows of a table, and lines of code, that a report shows at most; the explorer shows all.
MOST_ROWS = 60
MOST_LINES = 160
# A run of lines that belong to no submodule (imports, checks, a list of parameters) keeps these.
KEPT_HEAD, KEPT_TAIL = 10, 2
# Repeats of a fold whose lines are shown.
SHOWN_REPEATS = 2


@dataclass(frozen=True)
class Cell:
    """Text, and what may stand beside it: a kernel's badge, or a bar of coloured shares."""

    text: str
    badge: Badge | None = None
    bar: tuple[tuple[float, str], ...] = ()  # (share of the full width, colour)
    indent: int = 0


@dataclass(frozen=True)
class Table:
    """Heads and rows; ``numeric`` columns are aligned right. ``rest`` counts rows left out."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()
    rest: int = 0


@dataclass(frozen=True)
class CodeLine:
    """A line of the excerpt, or, where ``gap`` counts some, the lines left out there."""

    number: int
    text: str = ""
    runs: Runs = ()
    record: LineRecord | None = None
    gap: int = 0


def cap_rows(table: Table, most: int = MOST_ROWS) -> Table:
    """The table with its first ``most`` rows."""
    return replace(table, rows=table.rows[:most], rest=max(0, len(table.rows) - most))


def pattern_line(view: View) -> tuple[Cell, ...]:
    """The split graph in one line: ``K0 model``, ``[``, ``fx sdpa``, ``K1 layers``, ``] x 79``."""
    cells = []
    for item in view.items[:12]:
        if item.is_fold:
            cells.append(Cell("["))
        members = range(item.first, item.first + item.period)
        cells.extend(Cell(view.roles[index], badge=view.badges[index]) for index in members)
        if item.is_fold:
            cells.append(Cell(f"] {TIMES} {item.count}"))
    if len(view.items) > 12:
        cells.append(Cell(f"… {format_count(len(view.items) - 12)} more"))
    return tuple(cells)


def stage_table(report: Report) -> Table:
    """The stages of the cold compile with their times as bars."""
    stages, total = report.stages, report.cold_seconds
    rows = []
    for number, stage in enumerate(stages):
        share = stage.seconds / total if total else 0.0
        fill = STAGE_FILLS[number % len(STAGE_FILLS)]
        cells = (
            Cell(inert(stage.name)),
            Cell(format_seconds(stage.seconds)),
            Cell(f"{share:.0%}", bar=((share, fill),)),
            Cell(inert(stage.detail)),
        )
        rows.append(cells)
    return Table(("stage", "time", "share", ""), tuple(rows), frozenset({1}))


def submodule_table(view: View) -> Table:
    """Submodules with repeats folded."""
    profiled = any(s.seconds is not None for s in view.report.submodules)
    heads: tuple[str, ...] = ("submodules", "kernel", "twins", "nodes", "output bytes")
    rows = tuple(_submodule_row(view, row, profiled=profiled) for row in folded_rows(view))
    heads += ("run time", "why it starts here") if profiled else ("why it starts here",)
    return cap_rows(Table(heads, rows, frozenset(range(2, len(heads) - 1))))


def _submodule_row(view: View, row: Row, *, profiled: bool) -> tuple[Cell, ...]:
    submodule = row.submodule
    if submodule is None:
        members = view.report.submodules[row.item.first : row.item.stop]
        nodes, size = sum(s.n_nodes for s in members), sum(map(output_bytes, members))
        times = [s.seconds for s in members if s.seconds is not None]
        cells = [Cell(row.label), Cell(""), Cell(""), Cell(format_count(nodes))]
        cells.append(Cell(format_bytes(size)))
        if profiled:
            cells.append(Cell(format_seconds(sum(times) if times else None)))
        return (*cells, Cell(f"{format_count(row.count)} submodules in call order"))
    badge = view.badges[submodule.index]
    twins = view.twins[submodule.index]
    each = " each" if row.count > 1 else ""
    cells = [
        Cell(row.label, indent=int(row.is_member)),
        Cell("", badge=badge),
        Cell(format_count(twins) if twins > 1 else ""),
        Cell(format_count(submodule.n_nodes) + each),
        Cell(format_bytes(output_bytes(submodule)) + each),
    ]
    if profiled:
        text = format_seconds(submodule.seconds)
        cells.append(Cell(text + each if text else ""))
    return (*cells, Cell(inert(submodule.reason)))


def kernel_table(view: View) -> Table:
    """Each distinct kernel: who shares it, what it costs, how the native path runs it."""
    heads = ("kernel", "submodules", "compiled in", "size", "sources", "reloads as", "")
    rows = tuple(_kernel_row(k, view.also.get(k.index, "")) for k in view.report.kernels)
    return cap_rows(Table(heads, rows, frozenset({1, 2, 3, 4})), 24)


def _kernel_row(kernel: KernelRecord, also: str) -> tuple[Cell, ...]:
    notes = [note for note in (also, inert(kernel.why)) if note]
    if kernel.near_twin:
        cost = f"{format_seconds(kernel.seconds)} and {format_bytes(kernel.size)}"
        notes.append(f"near-twin: {inert(str(kernel.near_twin))} Sharing would save {cost}.")
    return (
        Cell("", badge=kernel_badge(kernel.index)),
        Cell(format_count(len(kernel.submodules))),
        Cell(format_seconds(kernel.seconds)),
        Cell(format_bytes(kernel.size)),
        Cell(format_count(len(kernel.sources))),
        Cell("native" if kernel.native else "torch"),
        Cell(" ".join(notes)),
    )


# --- warm reload ---------------------------------------------------------------------------------


def is_before_load(stage: str) -> bool:
    """Whether a stage is timed and shown, but no part of a load, which begins behind it.

    What a load imports of this package is part of it.
    """
    return stage in ("import torch", "import ops")


def own_note(record: ReloadRecord, records: Sequence[ReloadRecord]) -> str:
    """The record's note, where it is not what all of them say."""
    return "" if all(other.note == record.note for other in records) else inert(record.note)


def reload_stages(record: ReloadRecord) -> tuple[tuple[str, float], ...]:
    """The stages and the first call, in order."""
    if not record.stages:
        return ()
    stages = tuple((inert(name), seconds) for name, seconds in record.stages)
    return (*stages, ("first call", record.first_call))


def stage_colors(records: Sequence[ReloadRecord]) -> dict[str, str]:
    """A colour for each stage that counts; those before a load have none."""
    names = dict.fromkeys(name for record in records for name, _ in reload_stages(record))
    counted = [name for name in names if not is_before_load(name)]
    return {name: STAGE_FILLS[n % len(STAGE_FILLS)] for n, name in enumerate(counted)}


def reload_table(reloads: Sequence[ReloadRecord], *, shipped: bool) -> Table:
    """The reload paths, timed in fresh processes; bars share one scale."""
    records = [r for r in reloads if r.shipped == shipped]
    colors = stage_colors(reloads)
    longest = max((reload_seconds(r) for r in records), default=0.0)
    heads = ("path", "load", "first call", "then", "less than fx", "", "stages")
    slowest = next((r for r in records if r.path == "fx" and not r.error), None)
    rows = []
    for record in records:
        if record.error:
            said = Cell(f"failed: {inert(shorten(record.error, 300))}")
            rows.append((Cell(record.path), *(Cell("") for _ in range(5)), said))
            continue
        stages = reload_stages(record)
        counted = [(n, s) for n, s in stages if not is_before_load(n)]
        bar = tuple((s / longest if longest else 0.0, colors[n]) for n, s in counted)
        gain = ""
        if slowest is not None and record is not slowest:
            gain = format_ratio(reload_seconds(slowest), reload_seconds(record))
        detail = ", ".join(f"{n} {format_seconds(s)}" for n, s in stages)
        note = own_note(record, reloads)
        note = f" ({note})" if note else ""
        rows.append(
            (
                Cell(inert(record.path)),
                Cell(format_seconds(record.load)),
                Cell(format_seconds(record.first_call)),
                Cell(format_seconds(record.call)),
                Cell(gain),
                Cell("", bar=bar),
                Cell(detail + note),
            )
        )
    return Table(heads, tuple(rows), frozenset({1, 2, 3, 4}))


# --- execution code ------------------------------------------------------------------------------


def excerpt(view: View) -> tuple[CodeLine, ...]:
    """The execution code with its repeats folded: the first two of each fold, and gaps."""
    code = code_lines(view.report)
    records = {record.line: record for record in view.report.lines}
    shown = {
        index
        for item in view.items
        for index in range(item.first, min(item.stop, item.first + SHOWN_REPEATS * item.period))
    }
    keep = [False] * len(code)
    run: list[int] = []
    for position in range(len(code) + 1):
        record = records.get(position + 1)
        if position < len(code) and (record is None or record.submodule is None):
            run.append(position)
            continue
        trimmed = (
            run if len(run) <= KEPT_HEAD + KEPT_TAIL + 1 else run[:KEPT_HEAD] + run[-KEPT_TAIL:]
        )
        for kept in trimmed:
            keep[kept] = True
        run = []
        if record is not None and position < len(code):
            keep[position] = record.submodule in shown or record.is_peak
    chosen = [position for position, is_kept in enumerate(keep) if is_kept]
    if len(chosen) > MOST_LINES:
        chosen = chosen[: MOST_LINES - 20] + chosen[-20:]
    lines: list[CodeLine] = []
    previous = -1
    for position in (*chosen, len(code)):
        if position - previous > 1:
            lines.append(CodeLine(previous + 2, gap=position - previous - 1))
        if position < len(code):
            lines.append(CodeLine(position + 1, code[position], (), records.get(position + 1)))
        previous = position
    return tuple(_highlighted(lines, view.report.execution_language))


def _highlighted(lines: list[CodeLine], language: str) -> Iterator[CodeLine]:
    """Lines between gaps are lexed together: all that is left out need not be."""
    for is_gap, group in groupby(lines, key=lambda line: line.gap > 0):
        members = list(group)
        if is_gap:
            yield from members
            continue
        tokens = tokenise("\n".join(line.text for line in members), language)
        tokens += [("", ())] * (len(members) - len(tokens))
        for line, (text, runs) in zip(members, tokens, strict=True):
            yield replace(line, text=text, runs=runs)


def folded_pattern(view: View) -> str:
    """``submod_0, [attention, layers] x 79, submod_159, submod_160``."""
    return ", ".join(item_label(view, item) for item in view.items)
