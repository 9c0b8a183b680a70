"""The entries of a cache -> what it takes to compile a kernel on this machine.

The reports in the entries say how long each kernel took, and how many nodes it was made of. Times
are those of the day: short where Inductor's own cache knew the kernel.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from ..artifact.inspect import REPORT
from ..artifact.peek import peek
from ..artifact.squeeze import unsqueeze
from ..cache.sweep import list_files
from ..errors import ArtifactError, CacheError
from ..previews import Range
from ..runtime.machine import describe_machine

# A preview is asked for to save time: the newest entries have to do.
_MOST_ENTRIES = 50
_MOST_SECONDS = 0.4
# Kernels of about the size of one that was never compiled here, which say what it takes.
_NEAREST = 5


@dataclass(frozen=True)
class Paid:
    """A kernel that was compiled: its digest, the nodes of its graph, and seconds."""

    digest: str
    n_nodes: int
    seconds: float


@dataclass(frozen=True)
class Prices:
    """``kernels`` that were compiled here; ``rest`` are seconds of codegen and pack, a node."""

    kernels: tuple[Paid, ...] = ()
    rest: tuple[float, ...] = ()

    def of_kernel(self, digest: str, n_nodes: int) -> tuple[Range | None, bool]:
        """What a kernel takes, and whether it is this very one that was compiled before."""
        same = [paid.seconds for paid in self.kernels if paid.digest == digest]
        if same:
            return (min(same), max(same)), True
        near = sorted(self.kernels, key=lambda paid: _distance(paid.n_nodes, n_nodes))[:_NEAREST]
        times = [paid.seconds for paid in near]
        return ((min(times), max(times)) if times else None), False

    def of_rest(self, n_nodes: int) -> Range:
        """What writing the execution code and packing take for a graph of so many nodes."""
        return (n_nodes * min(self.rest, default=0.0), n_nodes * max(self.rest, default=0.0))


def _distance(a: int, b: int) -> float:
    return abs(math.log(max(a, 1) / max(b, 1)))


def read_prices(directory: Path) -> Prices:
    """What the newest entries of a cache say of this machine and this torch."""
    started = perf_counter()
    kernels: list[Paid] = []
    rest: list[float] = []
    try:
        files = [file for file in list_files(directory) if file.kind == "entry"]
    except CacheError:
        return Prices()  # whoever compiles hears of it
    files.sort(key=lambda file: -file.modified)
    for file in files[:_MOST_ENTRIES]:
        if perf_counter() - started > _MOST_SECONDS:
            break
        try:
            data = peek(str(file.path), (REPORT,)).members.get(REPORT)
            report = json.loads(unsqueeze(data, REPORT)) if data else {}
            if (report.get("machine"), report.get("torch")) == _here():
                kernels += [paid for one in report["programs"] or [report] for paid in _paid(one)]
                rest += _rest_of(report)
        except (ArtifactError, ValueError, LookupError, TypeError):
            continue  # a lookup of this entry says what is wrong with it
    return Prices(tuple(kernels), tuple(rest))


def _here() -> tuple[str, str]:
    return describe_machine(), str(torch.__version__)


def _paid(report: dict[str, Any]) -> list[Paid]:
    pieces: Sequence[dict[str, Any]] = report["submodules"]
    return [
        Paid(kernel["digest"], pieces[kernel["submodules"][0]]["n_nodes"], kernel["seconds"])
        for kernel in report["kernels"]
    ]


def _rest_of(report: dict[str, Any]) -> list[float]:
    names = ("codegen", "pack")
    seconds = sum(stage["seconds"] for stage in report["stages"] if stage["name"] in names)
    return [seconds / report["n_nodes"]] if report["n_nodes"] else []
