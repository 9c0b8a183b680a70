"""Report -> the explorer's first message: everything that is listed, and what is seen at first.

It is a synced trait, so it is saved with the notebook: columns, each text once, and of the contents
only those that a reopened notebook shows without a kernel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import NOT_COMPILED, KernelRecord, ReloadRecord, Report, Standing
from .documents import WINDOW
from .facts import alarms, medians_note, notes, program_facts, reload_note, report_facts, summary
from .palette import kernel_badge
from .pays import lost
from .program_contents import ProgramContents, program_key
from .programs import program_label, program_title
from .regions import call_line
from .tables import own_note, stage_colors, stage_table
from .view import View, item_label, output_bytes, peak_bytes

# Contents that travel with the state may take so much; a saved state has a budget of 300 kB.
START_BUDGET = 110_000


def overview(report: Report, contents: ProgramContents, *, can_rerun: bool) -> dict[str, Any]:
    """Plain data for the front end; `static/context.js` has its type as `Data`.

    The first program's own lie beside what belongs to the whole, those of the others in
    ``programs``, which is empty for a single one.
    """
    views = contents.views
    own = [program_overview(view) for view in views]
    whole = {
        "model": inert(report.model),
        "facts": list(report_facts(report)),
        "summary": [list(fact) for fact in summary(report) if fact[0] != "cache"],  # told below
        "lost": lost(report),
        "key": inert(report.key),
        "cache": inert(report.cache),
        "why": [inert(why) for why in report.why_miss],
        "notes": [*alarms(report), *notes(report)],
        "window": WINDOW,
        "canRerun": can_rerun,
        "weightsNote": reload_note(report),
        "cold": _cold(report),
        "artifact": _artifact(report),
        "start": start_contents(contents, [data["firstCall"] for data in own]),
    }
    programs = [
        {
            "label": program_label(view),
            "title": program_title(view),
            "facts": list(program_facts(view.report)),
            "own": data if number else {},
        }
        for number, (view, data) in enumerate(zip(views, own, strict=True))
    ]
    return {**whole, **own[0], "programs": programs if report.programs else []}


def program_overview(view: View) -> dict[str, Any]:
    """What is listed of one program."""
    report = view.report
    reasons = list(dict.fromkeys(s.reason for s in report.submodules))
    times = [line.seconds for line in report.lines if line.seconds is not None]
    return {
        "profiled": bool(times),
        "slowest": max(times, default=0.0),
        "peak": peak_bytes(report),
        "peakLine": next((line.line for line in report.lines if line.is_peak), 0),
        "firstCall": next((line.line for line in report.lines if line.kind == "call"), 1),
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
        "kernels": [_kernel(kernel, view.also.get(kernel.index, "")) for kernel in report.kernels],
    }


def start_contents(contents: ProgramContents, first_calls: Sequence[int]) -> dict[str, Any]:
    """What is seen before anything is asked, as far as the budget for a saved state allows."""
    chosen: dict[str, Any] = {}
    size = 0
    for number, first_call in enumerate(first_calls):
        window = (first_call - 1) // WINDOW
        for own in ("split:", f"code:execution:{window}", "profile:", "sources:"):
            key = program_key(number, own)
            content = contents.answer(key)
            size += len(json.dumps(content))
            if size > START_BUDGET:
                return chosen
            chosen[key] = content
    return chosen


def reloads_data(records: Sequence[ReloadRecord]) -> list[dict[str, Any]]:
    """The reload paths as the front end wants them."""
    of_kind = {s: [r for r in records if r.shipped is s] for s in (False, True)}
    medians = {shipped: medians_note(found) for shipped, found in of_kind.items()}
    return [
        {**_reload(record, own_note(record, records)), "medians": medians[record.shipped]}
        for record in records
    ]


def race_data(standing: Standing | None, records: Sequence[ReloadRecord]) -> dict[str, Any]:
    """Where a race is, and the colours of all stages that are known by now."""
    return {
        "state": "" if standing is None else standing.state,
        "done": 0 if standing is None else standing.done,
        "total": 0 if standing is None else standing.total,
        "now": "" if standing is None else inert(standing.now),
        "colors": stage_colors(records),
    }


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


def _cold(report: Report) -> dict[str, Any]:
    stages = report.stages
    fills = [row[2].bar[0][1] for row in stage_table(report).rows]
    return {
        "seconds": report.cold_seconds,
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


def _artifact(report: Report) -> list[list[str]]:
    artifact = report.artifact
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


def _kernel(kernel: KernelRecord, also: str) -> dict[str, Any]:
    badge = kernel_badge(kernel.index)
    return {
        "label": badge.label,
        "shape": badge.shape,
        "slot": badge.slot,
        "native": kernel.native,
        "why": inert(kernel.why),
        "near": inert(str(kernel.near_twin or "")),
        "also": also,
        "size": kernel.size,
        "seconds": kernel.seconds,
        "count": len(kernel.submodules),
        "calls": {
            "output": call_line(kernel.output_code),
            "native": call_line(kernel.native_code),
        },
        "sources": [[inert(s.name), inert(s.language)] for s in kernel.sources],
    }
