"""``growth``, a bench -> Llamas of growing depth: which stage grows worse than the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.answers import first_error, median
from tests.benchmarks.run import Run
from tests.benchmarks.table import NOTHING, Sayings, Table, seconds, size

DEPTHS = (10, 20, 40, 80, 160, 320)
RUNS = 3
# From this exponent on, the last doubling of the depth costs more than 2.3 times.
WORSE_THAN_LINEAR = 1.2

_INSPECT = """
import json, sys, time
started = time.perf_counter()
import ipy_fastcompile as fc
imported = time.perf_counter()
info = fc.inspect(json.loads(sys.argv[1])["path"])
text = str(info)
inspected = time.perf_counter()
report = info.report
print(json.dumps({
    "import": imported - started, "inspect": inspected - imported,
    "read report": time.perf_counter() - inspected, "torch": "torch" in sys.modules,
}))
"""

# Where a stage is found in a result, and what it is called.
STAGES = (
    *(
        (name, ("cold", "stages", name))
        for name in ("capture", "split", "lower", "codegen", "pack")
    ),
    ("report", ("cold", "report")),
    ("save", ("cold", "save")),
    ("native load", ("load",)),
    ("first call", ("first_call",)),
    ("call", ("call",)),
    ("explorer", ("cold", "views", "explorer")),
    ("HTML report", ("cold", "views", "html")),
    ("HTML page", ("cold", "views", "page")),
    ("text report", ("cold", "views", "text")),
    ("inspect", ("inspect", "inspect")),
)
SIZES = (
    ("nodes", ("cold", "nodes")),
    ("submodules", ("cold", "submodules")),
    ("kernels", ("cold", "kernels")),
    ("execution code, lines", ("cold", "code_lines")),
    ("execution code", ("cold", "code_bytes")),
    ("artifact", ("cold", "size")),
    ("artifact without FX bytes", ("small",)),
    ("HTML page", ("cold", "views", "page bytes")),
    ("HTML report", ("cold", "views", "html bytes")),
    ("explorer state", ("cold", "views", "explorer bytes")),
    ("peak memory, cold", ("cold", "peak_memory")),
)
_COUNTS = ("nodes", "submodules", "kernels", "execution code, lines")


def measure(run: Run, depths: Sequence[int]) -> None:
    """Measure each depth, and store it as soon as it is done."""
    found: dict[str, Any] = {}
    for layers in sorted(depths):
        found[str(layers)] = measure_depth(run, layers)
        run.store("growth", found)


def measure_depth(run: Run, layers: int) -> dict[str, Any]:
    """One depth, once in a run: a cold compile with Inductor warm, native loads, inspection."""
    spec = run.spec("llama", layers)

    def measured() -> dict[str, Any]:
        cold = run.cold(spec, shared=True)
        if "error" in cold:
            return {"cold": cold}
        runs = run.options.runs or RUNS
        native = run.reloads(cold, [("kept", "native")], runs=runs)["kept"]["native"]
        inspected = run.child(("-c", _INSPECT), {"path": cold["path"]}, cache=None)
        fields = ("load", "first_call", "call")
        return {
            "cold": cold,
            "native": native,
            **{name: median(native, name) for name in fields},
            "inspect": inspected,
            "small": cold["size"] - cold["fx_size"],
        }

    return run.once(f"depth {spec.name}", measured)


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """The slope of a line through (log x, log y), by least squares: 1 grows as x does.

    None for less than two points, or a value that has no logarithm.
    """
    if len({x for x, _ in points}) < 2 or any(x <= 0 or y <= 0 for x, y in points):
        return None
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - middle_x) ** 2 for x in xs)


def look_up(result: Any, path: Sequence[str]) -> float | None:
    """A number in nested mappings, None where one of them lacks it."""
    for name in path:
        if not isinstance(result, Mapping) or name not in result:
            return None
        result = result[name]
    return float(result) if isinstance(result, (int, float)) else None


def points_of(results: Mapping[str, Any], path: Sequence[str]) -> list[tuple[float, float]]:
    """(layers, value) for every depth that has the value."""
    found = [(float(layers), look_up(result, path)) for layers, result in results.items()]
    return sorted((layers, value) for layers, value in found if value is not None)


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Times with their exponents, sizes with theirs, and what failed."""
    depths = sorted(map(int, results))
    sayings = Sayings()
    for layers in depths:
        for part in ("cold", "inspect"):
            error = results[str(layers)].get(part, {}).get("error")
            if error:
                sayings.mark(f"{layers} layers, {part}: {error}")
        error = first_error(results[str(layers)].get("native", ()))
        if error:
            sayings.mark(f"{layers} layers, reload: {error}")
    heads = [f"{layers} layers" for layers in depths]
    notes = [
        (
            "Llama, one process for each depth. The Inductor cache is warm, and a model of two "
            "layers was compiled first: what is left depends on the graph."
        ),
        (
            "exponent: of a power law through all depths, and through the last three; 1 is linear, "
            f"and from {WORSE_THAN_LINEAR} on a stage counts as worse than linear."
        ),
        f"Worse than linear: {', '.join(worse_than_linear(results)) or 'none'}.",
        *sayings.notes(),
    ]
    return [
        Table(
            "Growth with depth: time",
            ("stage", *heads, "exponent", "of the last three", ""),
            tuple(_time_row(results, depths, name, path) for name, path in STAGES),
            tuple(notes),
            left=(0, len(depths) + 3),
        ),
        Table(
            "Growth with depth: size",
            ("what", *heads, "exponent"),
            tuple(_size_row(results, depths, name, path) for name, path in SIZES),
        ),
    ]


def tail_exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """The exponent of the last three points, where what is constant weighs least."""
    return exponent(points[-3:])


def worse_than_linear(results: Mapping[str, Any]) -> list[str]:
    """The stages whose last points grow worse than linearly."""
    found = []
    for name, path in STAGES:
        value = tail_exponent(points_of(results, path))
        if value is not None and value >= WORSE_THAN_LINEAR:
            found.append(name)
    return found


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _time_row(
    results: Mapping[str, Any], depths: Sequence[int], name: str, path: Sequence[str]
) -> tuple[str, ...]:
    points = points_of(results, path)
    tail = tail_exponent(points)
    verdict = "worse than linear" if tail is not None and tail >= WORSE_THAN_LINEAR else ""
    return (
        name,
        *(seconds(look_up(results[str(layers)], path)) for layers in depths),
        _number(exponent(points)),
        _number(tail),
        verdict,
    )


def _size_row(
    results: Mapping[str, Any], depths: Sequence[int], name: str, path: Sequence[str]
) -> tuple[str, ...]:
    values = [look_up(results[str(layers)], path) for layers in depths]
    shown = [
        size(v) if name not in _COUNTS else NOTHING if v is None else f"{int(v):,}" for v in values
    ]
    return (name, *shown, _number(exponent(points_of(results, path))))
