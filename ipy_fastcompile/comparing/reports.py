"""Two reports -> CompileComparison: programs paired by name, kernels by what they compute."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from ..comparisons import CompileComparison, KernelPair, Row
from ..explained import Explained, read_explained
from ..records import KernelRecord, Report, Value

# Inductor numbers the graphs of a process; what is in them has nothing to do with that.
_AOT_ID = re.compile(r"^# AOT ID: .*\n", re.MULTILINE)
_MOST_DIFFED = 1_000_000  # characters of two texts


def compare_reports(a: Report, b: Report, names: tuple[str, str]) -> CompileComparison:
    """Compare two compiles by their reports."""
    pairs = list(_programs(a, b))
    settings = tuple(_differing(_settings(a), _settings(b)))
    split = tuple(row for name, x, y in pairs for row in _split_rows(name, x, y))
    kernels = tuple(pair for name, x, y in pairs for pair in _kernel_pairs(name, x, y))
    inductor = tuple(row for name, x, y in pairs for row in _inductor_rows(name, x, y, kernels))
    code = "\n".join(filter(None, (_diff(x.execution_code, y.execution_code) for _, x, y in pairs)))
    sizes = tuple(_differing(_sizes(a), _sizes(b)))
    return CompileComparison(
        a=a,
        b=b,
        names=names,
        first=_first(settings, split, kernels, inductor, code, sizes),
        settings=settings,
        split=split,
        kernels=kernels,
        inductor=inductor,
        code=code,
        sizes=sizes,
        times=tuple(_times(a, b)),
    )


def _programs(a: Report, b: Report) -> Iterator[tuple[str, Report, Report]]:
    """The programs that both have, by name; a single one is paired with the first."""
    of_a, of_b = (report.programs or (report,) for report in (a, b))
    if len(of_a) == 1 or len(of_b) == 1:
        yield of_a[0].name or of_b[0].name, of_a[0], of_b[0]
        return
    known = {program.name: program for program in of_b}
    yield from ((one.name, one, known[one.name]) for one in of_a if one.name in known)


def _first(
    settings: Sequence[Row],
    split: Sequence[Row],
    kernels: Sequence[KernelPair],
    inductor: Sequence[Row],
    code: str,
    sizes: Sequence[Row],
) -> str:
    """What differs first, in the order in which a compile comes to it."""
    for what, rows in (("setting", settings), ("split", split)):
        if rows:
            return _words(what, rows[0])
    for pair in kernels:
        if not pair.same:
            of = f" of {pair.program}" if pair.program else ""
            if pair.a is None or pair.b is None:
                only, index = ("b", pair.b) if pair.a is None else ("a", pair.a)
                return f"kernel{of}: kernel {index} is only in {only}"
            return f"kernel{of}: kernel {pair.a} of a and {pair.b} of b compute other things"
    if inductor:
        return _words("Inductor", inductor[0])
    for pair in kernels:
        if not pair.same_code:
            return f"code of kernels: Inductor wrote kernel {pair.a} of a in another way in b"
    if code:
        return "execution code"
    known = [row for row in sizes if row[1] and row[2]]  # one of them may not have been saved yet
    return _words("size", known[0]) if known else ""


def _words(what: str, row: Row) -> str:
    name, a, b = row
    return f"{what}: {name}: {a or 'nothing'} -> {b or 'nothing'}"


def _differing(a: dict[str, str], b: dict[str, str]) -> Iterator[Row]:
    for name in {**a, **b}:
        if a.get(name, "") != b.get(name, ""):
            yield name, a.get(name, ""), b.get(name, "")


# --- what was asked ------------------------------------------------------------------------------


def _settings(report: Report) -> dict[str, str]:
    found = {"torch": report.torch, "machine": report.machine, "model": report.model}
    programs = report.programs or (report,)
    found["programs"] = ", ".join(program.name for program in programs if program.name)
    for program in programs:
        of = f"{program.name} " if program.name else ""
        found |= {f"{of}input {value.name}": _value(value) for value in program.inputs}
        found |= {
            f"{of}size {s.name}": f"{s.min} to {'any' if s.max is None else s.max}"
            for s in program.symbols
        }
        found[f"{of}parameters"] = f"{program.n_parameters}, {program.parameter_bytes} bytes"
        found[f"{of}notes"] = "; ".join(program.notes)
    return found


def _value(value: Value) -> str:
    shape = ", ".join(map(str, value.shape))
    return f"{value.dtype}[{shape}] on {value.device}" if value.kind == "tensor" else value.text


# --- split and kernels ---------------------------------------------------------------------------


def _split_rows(name: str, a: Report, b: Report) -> Iterator[Row]:
    of = f"{name} " if name else ""
    counts = [(len(one.submodules), one.n_nodes) for one in (a, b)]
    for what, x, y in zip(("submodules", "nodes"), *counts, strict=True):
        if x != y:
            yield f"{of}{what}", str(x), str(y)
    for x, y in zip(a.submodules, b.submodules, strict=False):
        said = [f"{one.n_nodes} nodes, {one.reason}" for one in (x, y)]
        if said[0] != said[1]:
            yield f"{of}{x.name}", said[0], said[1]
            return  # those behind it are moved


def _kernel_pairs(name: str, a: Report, b: Report) -> Iterator[KernelPair]:
    of_b = {kernel.digest: kernel for kernel in b.kernels}
    left = [kernel for kernel in a.kernels if kernel.digest not in of_b]
    shared = {kernel.digest for kernel in a.kernels} & of_b.keys()
    place = {k.submodules[0]: k for k in b.kernels if k.digest not in shared}
    for kernel in a.kernels:
        other = of_b.get(kernel.digest)
        if other is not None:
            mine, its = (_AOT_ID.sub("# AOT ID\n", each.output_code) for each in (kernel, other))
            same = mine == its
            diff = "" if same else _diff(mine, its)
            yield KernelPair(name, kernel.index, other.index, True, same, diff)
    for kernel in left:
        other = place.pop(kernel.submodules[0], None)
        if other is None:
            yield KernelPair(name, kernel.index, None, False, False, "")
            continue
        diff = _diff(_computes(a, kernel), _computes(b, other))
        yield KernelPair(name, kernel.index, other.index, False, False, diff)
    for kernel in place.values():
        yield KernelPair(name, None, kernel.index, False, False, "")


def _computes(report: Report, kernel: KernelRecord) -> str:
    graph = report.submodules[kernel.submodules[0]].graph
    return next(one.code for one in report.graphs if one.index == graph)


def _diff(a: str, b: str) -> str:
    if len(a) + len(b) > _MOST_DIFFED:
        return f"too long to compare line by line: {len(a)} and {len(b)} characters"
    lines = difflib.unified_diff(a.splitlines(), b.splitlines(), "a", "b", n=2, lineterm="")
    return "\n".join(lines)


# --- what Inductor did ---------------------------------------------------------------------------


def _inductor_rows(name: str, a: Report, b: Report, pairs: Sequence[KernelPair]) -> Iterator[Row]:
    of_a, of_b = ({kernel.index: kernel for kernel in one.kernels} for one in (a, b))
    for pair in pairs:
        if pair.program != name or pair.a is None or pair.b is None:
            continue
        x, y = (read_explained(k.explained) for k in (of_a[pair.a], of_b[pair.b]))
        if x.missing or y.missing:
            continue  # nothing was recorded of one of them
        label = f"{name} kernel {pair.a}".strip()
        for what, said in _DID.items():
            if said(x) != said(y):
                yield f"{label}: {what}", said(x), said(y)


def _changing(one: Explained) -> str:
    return ", ".join(done.name for done in one.passes if done.changed)


def _fused(one: Explained) -> str:
    return "; ".join(f"{group.kernel}: {', '.join(group.nodes)}" for group in one.groups)


def _refused(one: Explained) -> str:
    return "; ".join(dict.fromkeys(refusal.reason for refusal in one.refusals))


_DID = {"passes that changed it": _changing, "fused": _fused, "not fused because": _refused}


# --- sizes and times -----------------------------------------------------------------------------


def _sizes(report: Report) -> dict[str, str]:
    found = {"kernels": f"{sum(kernel.size for kernel in report.kernels)} bytes"}
    if report.artifact is not None:
        found["artifact"] = f"{report.artifact.size} bytes"
    peaks = {"peak, predicted": report.predicted_peak, "peak, measured": report.measured_peak}
    return found | {name: f"{peak} bytes" for name, peak in peaks.items() if peak is not None}


def _times(a: Report, b: Report) -> Iterator[Row]:
    """Seconds of both; they always differ."""
    found = [
        {stage.name: stage.seconds for stage in one.stages}
        | {"cold": one.cold_seconds, "warm": one.warm_seconds}
        | ({"call": one.eager.compiled.median} if one.eager else {})
        for one in (a, b)
    ]
    for name in {**found[0], **found[1]}:
        x, y = (one.get(name) for one in found)
        if x is not None or y is not None:
            yield name, "" if x is None else f"{x:.3g} s", "" if y is None else f"{y:.3g} s"
