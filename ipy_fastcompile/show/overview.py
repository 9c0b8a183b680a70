"""View -> the explorer's first message: everything that is listed, and what is seen at first.

It is a synced trait, so it is saved with the notebook: columns, each text once, and of the contents
only those that a reopened notebook shows without a kernel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import NOT_COMPILED, KernelRecord, ReloadRecord
from .content import Contents
from .documents import WINDOW
from .palette import kernel_badge
from .tables import own_note, stage_colors, stage_table
from .view import (
    WEIGHTS_NOTE,
    View,
    alarms,
    item_label,
    output_bytes,
    peak_bytes,
    report_facts,
    summary,
)

# Contents that travel with the state may take so much; a saved state has a budget of 300 kB.
START_BUDGET = 110_000


def overview(view: View, contents: Contents, *, can_rerun: bool) -> dict[str, Any]:
    """Plain data for the front end; `static/explorer.js` has its type as `Data`."""
    report = view.report
    reasons = list(dict.fromkeys(s.reason for s in report.submodules))
    peak_line = next((line.line for line in report.lines if line.is_peak), 0)
    first_call = next((line.line for line in report.lines if line.kind == "call"), 1)
    times = [line.seconds for line in report.lines if line.seconds is not None]
    return {
        "model": inert(report.model),
        "facts": list(report_facts(report)),
        "summary": [list(fact) for fact in summary(report) if fact[0] != "cache"],  # told below
        "key": inert(report.key),
        "cache": inert(report.cache),
        "why": [inert(why) for why in report.why_miss],
        "notes": [*alarms(report), *(inert(note) for note in report.notes)],
        "window": WINDOW,
        "profiled": bool(times),
        "slowest": max(times, default=0.0),
        "peak": peak_bytes(report),
        "peakLine": peak_line,
        "firstCall": first_call,
        "canRerun": can_rerun,
        "weightsNote": WEIGHTS_NOTE,
        "cold": _cold(view),
        "colors": stage_colors(report.reloads),
        "artifact": _artifact(view),
        "submodules": {
            "name": [inert(s.name) for s in report.submodules],
            "module": [inert(s.module) for s in report.submodules],
            "role": list(view.roles),
            "kernel": [-1 if s.kernel is None else s.kernel for s in report.submodules],
            "graph": [s.graph for s in report.submodules],
            "nodes": [s.n_nodes for s in report.submodules],
            "bytes": [output_bytes(s) for s in report.submodules],
            "seconds": [s.seconds for s in report.submodules],
            "twins": list(view.twins),
            "refused": [inert(s.reason.partition(NOT_COMPILED)[2]) for s in report.submodules],
            "reason": [reasons.index(s.reason) for s in report.submodules],
            "first": [s.lines[0] for s in report.submodules],
            "last": [s.lines[1] for s in report.submodules],
        },
        "reasons": [inert(reason) for reason in reasons],
        "folds": [
            {"first": i.first, "period": i.period, "count": i.count, "label": item_label(view, i)}
            for i in view.items
        ],
        "kernels": [_kernel(kernel) for kernel in report.kernels],
        "start": start_contents(contents, first_call),
    }


def start_contents(contents: Contents, first_call: int) -> dict[str, Any]:
    """What is seen before anything is asked, as far as the budget for a saved state allows."""
    chosen: dict[str, Any] = {}
    size = 0
    window = (first_call - 1) // WINDOW
    for key in ("split:", f"code:execution:{window}", "profile:", "sources:"):
        content = contents.answer(key)
        size += len(json.dumps(content))
        if size > START_BUDGET:
            break
        chosen[key] = content
    return chosen


def reloads_data(records: Sequence[ReloadRecord]) -> list[dict[str, Any]]:
    """The reload paths as the front end wants them."""
    return [_reload(record, own_note(record, records)) for record in records]


def _reload(record: ReloadRecord, note: str) -> dict[str, Any]:
    return {
        "path": inert(record.path),
        "runs": record.runs,
        "stages": [[inert(name), seconds] for name, seconds in record.stages],
        "load": record.load,
        "first_call": record.first_call,
        "call": record.call,
        "shipped": record.shipped,
        "error": inert(record.error),
        "note": note,
    }


def _cold(view: View) -> dict[str, Any]:
    stages = view.report.stages
    fills = [row[2].bar[0][1] for row in stage_table(view).rows]
    return {
        "seconds": view.report.cold_seconds,
        "stages": [
            {
                "name": inert(stage.name),
                "seconds": stage.seconds,
                "detail": inert(stage.detail),
                "fill": fill,
            }
            for stage, fill in zip(stages, fills, strict=True)
        ],
    }


def _artifact(view: View) -> list[list[str]]:
    artifact = view.report.artifact
    if artifact is None:
        return []
    facts = [
        ("path", artifact.path),
        ("digest", artifact.digest),
        (
            "size",
            f"{format_bytes(artifact.size)}, of which FX graph {format_bytes(artifact.fx_size)}",
        ),
        ("signature", "signed with this user's key" if artifact.signed else "not signed"),
    ]
    return [[name, inert(text)] for name, text in facts]


def _kernel(kernel: KernelRecord) -> dict[str, Any]:
    badge = kernel_badge(kernel.index)
    return {
        "label": badge.label,
        "shape": badge.shape,
        "slot": badge.slot,
        "native": kernel.native,
        "why": inert(kernel.why),
        "near": inert(str(kernel.near_twin or "")),
        "size": kernel.size,
        "seconds": kernel.seconds,
        "count": len(kernel.submodules),
        "sources": [[inert(s.name), inert(s.language)] for s in kernel.sources],
    }
