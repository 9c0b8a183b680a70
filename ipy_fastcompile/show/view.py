"""Report -> View: what every renderer needs and no record holds, worked out once.

Folded repeats, roles, twins, who produces what, and the table of source lines. Text, HTML, the
offline page and the explorer are all drawn from a `View`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..artifact.inert import inert
from ..records import (
    GraphRecord,
    LineRecord,
    ReloadRecord,
    Report,
    Source,
    SubmoduleRecord,
    Value,
)
from .fold import Item, fold_repeats
from .palette import Badge, kernel_badge
from .units import TIMES


@dataclass(frozen=True)
class Row:
    """A row of the folded list of submodules: one submodule, a fold, or a member of a fold."""

    label: str
    item: Item
    is_member: bool
    submodule: SubmoduleRecord | None  # None for the fold itself
    count: int  # how many submodules the row stands for


@dataclass(frozen=True)
class View:
    """A report and what follows from it.

    ``roles[i]`` is a short name for what submodule ``i`` is. ``producers`` maps the name of a value
    to the submodule that yields it. ``weights[i]`` are the positions of those inputs of submodule
    ``i`` that the model gives: parameters, buffers and constants. ``also`` says of a kernel, by its
    index, in which other programs of the artifact it runs.
    """

    report: Report
    items: tuple[Item, ...]
    badges: tuple[Badge, ...]  # by submodule
    roles: tuple[str, ...]
    twins: tuple[int, ...]  # by submodule: how many share its kernel or, inlined, its graph
    producers: dict[str, int]
    weights: tuple[frozenset[int], ...]
    sources: tuple[Source, ...]
    source_ids: dict[Source, int]
    line_ids: dict[tuple[str, int], int]  # the same by file and line
    graphs: dict[int, GraphRecord]  # by GraphRecord.index
    also: Mapping[int, str]


def make_view(report: Report, also: Mapping[int, str] | None = None) -> View:
    """Work out everything that the renderers share, of one program."""
    graphs = {graph.index: graph for graph in report.graphs}
    kinds = [(s.kernel, s.graph if s.kernel is None else -1) for s in report.submodules]
    counts = Counter(kinds)
    producers = {v.name: s.index for s in report.submodules for v in s.outputs}
    given = producers.keys() | {v.name for v in report.inputs}
    sources = tuple(dict.fromkeys(_all_sources(report)))
    return View(
        report=report,
        items=fold_repeats(kinds),
        badges=tuple(kernel_badge(s.kernel) for s in report.submodules),
        roles=tuple(_role(s, graphs.get(s.graph)) for s in report.submodules),
        twins=tuple(counts[kind] for kind in kinds),
        producers=producers,
        weights=tuple(
            frozenset(i for i, v in enumerate(s.inputs) if _is_weight(v) and v.name not in given)
            for s in report.submodules
        ),
        sources=sources,
        source_ids={source: number for number, source in enumerate(sources)},
        line_ids={(source.file, source.line): number for number, source in enumerate(sources)},
        graphs=graphs,
        also=also or {},
    )


def _is_weight(value: Value) -> bool:
    """`torch.export` names parameters ``p_...``, buffers ``b_...`` and constants ``c_...``."""
    return value.kind == "tensor" and value.name.startswith(("p_", "b_", "c_"))


def _all_sources(report: Report) -> Iterator[Source]:
    for graph in report.graphs:
        yield from (node.source for node in graph.nodes if node.source)
    yield from (line.source for line in report.lines if line.source)
    for kernel in report.kernels:
        yield from (source for _, source in kernel.output_lines)


def source_id(view: View, source: Source | None) -> int:
    """The number of a source line in `View.sources`, -1 for none."""
    return -1 if source is None else view.source_ids[source]


def line_id(view: View, source: Source | None) -> int:
    """The number of a source line that Inductor told, -1 where no node of a graph is of it."""
    return -1 if source is None else view.line_ids.get((source.file, source.line), -1)


def op_name(target: str) -> str:
    """``mm`` for ``aten.mm.default``, ``aten::mm`` and ``torch.ops.aten.mm.default``."""
    parts = target.replace("::", ".").split(".")
    if parts[:2] == ["torch", "ops"]:
        parts = parts[2:]
    return parts[-2] if len(parts) >= 3 else parts[-1]


def _role(submodule: SubmoduleRecord, graph: GraphRecord | None) -> str:
    if submodule.inlined and graph is not None:
        ops = [op_name(n.target) for n in graph.nodes if n.op == "call_function"]
        named = [op for op in ops if op in submodule.reason]
        if named or ops:
            op = (named or ops)[0]
            return "attention" if "attention" in op or "attn" in op else inert(op)
    path = re.sub(r"\.\d+(?=\.|$)", ".*", submodule.module)
    tail = path.split(".")[-2:] if path.endswith(".*") else path.split(".")[-1:]
    return inert(".".join(tail)) or "top level"


def most_bytes(line: LineRecord) -> int:
    """The most bytes alive while the line runs; a ``del`` allocates nothing on its way."""
    return line.live_bytes if line.kind == "del" else max(line.live_bytes, line.peak_bytes)


def peak_bytes(report: Report) -> int:
    """The most bytes alive at any line, those that only its kernel sees included."""
    return max(map(most_bytes, report.lines), default=0)


def code_lines(report: Report) -> list[str]:
    """The lines of the execution code."""
    return report.execution_code.removesuffix("\n").split("\n")


def output_bytes(submodule: SubmoduleRecord) -> int:
    """Bytes of the submodule's outputs at the example sizes."""
    return sum(value.example_bytes for value in submodule.outputs)


def item_label(view: View, item: Item) -> str:
    """``submod_0``, or ``[attention, layers] x 79``."""
    if not item.is_fold:
        return inert(view.report.submodules[item.first].name)
    roles = ", ".join(view.roles[item.first : item.first + item.period])
    return f"[{roles}] {TIMES} {item.count}"


def folded_rows(view: View) -> tuple[Row, ...]:
    """The list of submodules with repeats folded: a fold is followed by its members."""
    rows = []
    for item in view.items:
        submodules = view.report.submodules
        if not item.is_fold:
            rows.append(Row(item_label(view, item), item, False, submodules[item.first], 1))
            continue
        rows.append(Row(item_label(view, item), item, False, None, item.period * item.count))
        for offset in range(item.period):
            members = submodules[item.first + offset : item.stop : item.period]
            names = [inert(member.name) for member in members]
            label = ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]}, … {names[-1]}"
            rows.append(Row(label, item, True, members[0], item.count))
    return tuple(rows)


def reload_seconds(record: ReloadRecord) -> float:
    """Load and first call: what a user waits for after `import torch`."""
    return record.load + record.first_call
