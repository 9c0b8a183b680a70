"""Explained -> what a kernel's scheduler fused, what it refused and why, and its buffers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..artifact.inert import inert
from ..explained import Explained, FusedGroup, ScheduledNode
from ..fused import meaning
from ..records import KernelRecord
from .buffers import buffers_of
from .explained import place, tuning_lines
from .units import format_count
from .view import View, line_id


def fusion_content(view: View, kernel: KernelRecord, explained: Explained) -> dict[str, Any]:
    """Plain data for `static/fusion.js`, which has its type as `FusionContent`."""
    nodes, groups = explained.nodes, _groups_of_all(explained)
    at = {node.name: number for number, node in enumerate(nodes)}
    group_of = {name: number for number, group in enumerate(groups) for name in group.nodes}
    refusals = [r for r in explained.refusals if at.keys() >= {*r.first, *r.second}]
    reasons = list(dict.fromkeys(refusal.reason for refusal in refusals))
    fused = sum(len(group.nodes) > 1 for group in groups)
    lost = explained.left_out
    return {
        "why": inert(explained.missing),
        "note": f"{format_count(len(nodes), 'node')} before fusion, "
        f"{format_count(len(groups), 'group')} after it, {fused or 'none'} of several nodes."
        + (f" {format_count(lost, 'more refusal')} not kept." if lost else ""),
        "nodes": {
            "name": [inert(node.name) for node in nodes],
            "what": [_what(node) for node in nodes],
            "from": [list(map(inert, node.sources)) for node in nodes],
            "isCall": [node.kind == "extern" for node in nodes],
            "group": [group_of[node.name] for node in nodes],
            "place": [place(node.source) if node.source else "" for node in nodes],
            "source": [line_id(view, node.source) for node in nodes],
        },
        "groups": [inert(group.kernel) for group in groups],
        "refusals": [
            [
                [at[name] for name in refusal.first],
                [at[name] for name in refusal.second],
                reasons.index(refusal.reason),
            ]
            for refusal in refusals
        ],
        "reasons": [[inert(reason), meaning(reason)] for reason in reasons],
        "tables": [
            _reason_table(explained),
            _buffer_table(kernel, explained),
            *([_tuning_table(explained)] if explained.tunings else []),
        ],
    }


def _groups_of_all(explained: Explained) -> list[FusedGroup]:
    """The groups, those of one function together; a node that went before is one of its own."""
    known = {name for group in explained.groups for name in group.nodes}
    rest = [FusedGroup((node.name,)) for node in explained.nodes if node.name not in known]
    first = {group.kernel: n for n, group in reversed(list(enumerate(explained.groups)))}
    return [*sorted(explained.groups, key=lambda group: first[group.kernel]), *rest]


def _what(node: ScheduledNode) -> str:
    """``reduction  float32[4, 64]  layer_norm, sum_1``."""
    made_from = ", ".join(node.sources or node.origins or node.ops)
    return inert("  ".join(filter(None, (node.kind, node.value, made_from))))


def _reason_table(explained: Explained) -> dict[str, Any]:
    counts = Counter(refusal.reason for refusal in explained.refusals).most_common()
    rows = [(str(times), reason, meaning(reason)) for reason, times in counts]
    heads = ("times", "as Inductor says", "what it means")
    return _table(format_count(len(counts), "reason"), heads, rows)


def _buffer_table(kernel: KernelRecord, explained: Explained) -> dict[str, Any]:
    buffers = buffers_of(kernel, explained)
    rows = [
        *((name, "allocated", value) for name, value in buffers.allocated),
        *((name, "takes the memory of", old) for name, old in buffers.reused),
        *((name, "written in place by", writer) for name, writer in buffers.in_place),
    ]
    names = len({name for name, *_ in rows})
    return _table(format_count(names, "buffer"), ("buffer", "memory", "what"), rows)


def _tuning_table(explained: Explained) -> dict[str, Any]:
    rows = [(tuning.kernel, line) for tuning in explained.tunings for line in tuning_lines(tuning)]
    return _table(format_count(len(rows), "configuration"), ("kernel", "autotuning"), rows)


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    cells = [[inert(cell) for cell in row] for row in rows]
    return {"title": title, "heads": list(heads), "rows": cells}
