"""What Inductor did to the kernels of the five families, counted; and what recording it costs.

``python -m tests.benchmarks.explained --layers 2`` prints, for each family, the passes that ran and
that changed something, the groups of several nodes, the calls of libraries, and Inductor's reasons
for what it did not fuse. With ``--cost 5`` one family is compiled five times with the recorder and
five times without, in turn, in one process. Its C++ is compiled once, before; Inductor's part of
the compile is what can become slower, and its time of the processor is compared.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipy_fastcompile as fc
from ipy_fastcompile.engine.kernels.explain import Recorder
from ipy_fastcompile.explained import Explained, read_explained
from ipy_fastcompile.records import Report
from tests.benchmarks.families import FAMILIES, Case, Spec, build


@dataclass(frozen=True)
class Counts:
    """What was recorded of all kernels of one model."""

    kernels: int
    ran: int
    changed: int
    nodes: int
    groups: int
    fused: int
    calls: int
    bytes: int  # of the texts in the report
    reasons: Counter[str]
    missing: int


def count(report: Report) -> Counts:
    """The counts of one report."""
    each = [read_explained(kernel.explained) for kernel in report.kernels]
    passes = [one for explained in each for one in explained.passes]
    groups = [group for explained in each for group in explained.groups]
    nodes = [node for explained in each for node in explained.nodes]
    return Counts(
        kernels=len(each),
        ran=len(passes),
        changed=sum(one.changed for one in passes),
        nodes=len(nodes),
        groups=len(groups),
        fused=sum(len(group.nodes) > 1 for group in groups),
        calls=sum(node.kind == "extern" for node in nodes),
        bytes=sum(len(kernel.explained) for kernel in report.kernels),
        reasons=Counter(kind for explained in each for kind in _reasons(explained)),
        missing=sum(bool(explained.missing) for explained in each),
    )


def _reasons(explained: Explained) -> list[str]:
    """The kinds of reasons: Inductor's words up to where they speak of these two nodes."""
    return [re.split(r"[:(,]| buf| op\d", refusal.reason)[0] for refusal in explained.refusals]


def row(name: str, counts: Counts) -> str:
    """A line of the table, and one for each reason below it."""
    head = (
        f"{name:12} {counts.kernels:7} {counts.ran:6} {counts.changed:8} {counts.nodes:6} "
        f"{counts.groups:6} {counts.fused:6} {counts.calls:6} {sum(counts.reasons.values()):8} "
        f"{counts.bytes / 1000:6.1f}"
    )
    reasons = [f"{'':12} {n:8}  {reason}" for reason, n in counts.reasons.most_common()]
    lacking = [f"{'':12} not recorded of {counts.missing} kernels"] if counts.missing else []
    return "\n".join([head, *reasons, *lacking])


HEADER = (
    f"{'family':12} {'kernels':>7} {'passes':>6} {'changed':>8} {'nodes':>6} {'groups':>6} "
    f"{'fused':>6} {'calls':>6} {'refusals':>8} {'kB':>6}"
)


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """While this lasts, nothing is recorded of a compile."""
    original = Recorder.watching
    Recorder.watching = lambda self: contextlib.nullcontext()  # type: ignore[assignment, method-assign, return-value]
    try:
        yield
    finally:
        Recorder.watching = original  # type: ignore[method-assign]


def seconds_of(case: Case) -> float:
    """The processor's time of this process for one compile, its C++ taken out of the cache."""
    started = time.process_time()
    fc.compile(case.model, (), case.kwargs, dynamic=case.dynamic, explain=True)
    return time.process_time() - started


def measure_cost(case: Case, runs: int) -> tuple[list[float], list[float]]:
    """Seconds without and with the recorder, in turn, after one of each that does not count."""
    without: list[float] = []
    recorded: list[float] = []
    for _ in range(runs + 1):
        with unrecorded():
            without.append(seconds_of(case))
        recorded.append(seconds_of(case))
    return without[1:], recorded[1:]


def main(arguments: list[str] | None = None) -> int:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.explained")
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--cost", type=int, metavar="RUNS", help="of the first family")
    options = parser.parse_args(arguments)

    def case_of(family: str) -> Any:
        return build(Spec(family, options.layers, options.hidden))

    if options.cost:
        without, recorded = measure_cost(case_of(options.families[0]), options.cost)
        before, after = statistics.median(without), statistics.median(recorded)
        for name, times in (("without", without), ("recorded", recorded)):
            spread = f"{min(times):.2f} to {max(times):.2f}"
            print(f"{name:9} {statistics.median(times):6.2f} s of CPU ({spread})")
        print(f"recording {after - before:+6.2f} s, {100 * (after / before - 1):+.1f} %")
        return 0
    print(HEADER)
    for family in options.families:
        case = case_of(family)
        compiled = fc.compile(case.model, (), case.kwargs, dynamic=case.dynamic, explain=True)
        print(row(family, count(compiled.report)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
