"""Reports to draw: a small one, one with a near-twin, and one in which every string is hostile."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ipy_fastcompile.explained import read_explained
from ipy_fastcompile.records import KernelRecord, Report
from tests.unit.show.sample import sample_report

# Markup, terminal escapes, bidirectional controls, invisible and unpaired characters, breakouts
# from attributes, comments, scripts and JSON.
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m\x1b]0;t\x07\r\x08\x9b2J"
    "\u202egnp\u2066\u200b\u2028\udc80</style>--><!--]]>&lt;{{7*7}}${1}`</details></pre>"
)


def poison(
    record: Any, skip: frozenset[str] = frozenset({"kind", "op", "language", "missing"})
) -> Any:
    """The record with `HOSTILE` before every string in it; names stay consistent by that."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        changes = {
            field.name: poison(getattr(record, field.name))
            for field in dataclasses.fields(record)
            if field.name not in skip
        }
        if isinstance(record, KernelRecord):
            changes["explained"] = poison(read_explained(record.explained)).packed()
        return dataclasses.replace(record, **changes)
    if isinstance(record, tuple):
        return tuple(poison(item) for item in record)
    return HOSTILE + record if isinstance(record, str) else record


@pytest.fixture(scope="session")
def report() -> Report:
    return sample_report(4)


@pytest.fixture(scope="session")
def near_twin_report() -> Report:
    return sample_report(5, near_twin=True, profiled=False)


@pytest.fixture(scope="session")
def hostile_report() -> Report:
    poisoned: Report = poison(sample_report(3))
    return poisoned


@pytest.fixture(scope="session")
def empty_report() -> Report:
    full = sample_report(2)
    return dataclasses.replace(
        full,
        stages=(),
        submodules=(),
        graphs=(),
        kernels=(),
        lines=(),
        execution_code="",
        reloads=(),
        artifact=None,
        max_error=None,
        key="",
        cache="",
        why_miss=(),
        miss_details=(),
        n_nodes=0,
        predicted_peak=None,
        measured_peak=None,
        profile=None,
        eager=None,
    )
