"""``models``, a bench -> the five families of vllm-project/vllm#40151, cold and reloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.answers import first_error, median
from tests.benchmarks.families import FAMILIES
from tests.benchmarks.run import KEPT, PATHS, SHIPPED, Run
from tests.benchmarks.table import NOTHING, Sayings, Table, percent_less, seconds, size, times

RUNS = 3
STAGES = ("capture", "split", "lower", "codegen", "pack")


def measure(run: Run, families: Sequence[str], layers: int | None) -> None:
    """Measure each family, and store it as soon as it is done."""
    found: dict[str, Any] = {}
    runs = run.options.runs or RUNS
    for name in families:
        cold = run.cold(run.spec(name, layers or FAMILIES[name].layers))
        found[name] = {"cold": cold}
        run.store("models", found)
        if "error" in cold:
            continue
        found[name] |= run.reloads(cold, (*KEPT, *SHIPPED), runs=runs)
        run.store("models", found)


def tables(results: Mapping[str, Any], imports: Mapping[str, float]) -> list[Table]:
    """Cold compiles, reloads beside what was published, and reloads without a compiler."""
    return [_cold(results), _reloads(results, imports), _shipped(results)]


def _label(result: Mapping[str, Any]) -> str:
    spec = result["cold"]["spec"]
    return f"{spec['family']}, {spec['layers']} layers"


def _cold(results: Mapping[str, Any]) -> Table:
    sayings = Sayings()
    rows = []
    for result in results.values():
        cold = result["cold"]
        if "error" in cold:
            rows.append((_label(result), *[NOTHING] * 13, sayings.mark(cold["error"])))
            continue
        rows.append(
            (
                _label(result),
                f"{cold['nodes']:,}",
                str(cold["submodules"]),
                f"{cold['native']} of {cold['kernels']}",
                *(seconds(cold["stages"].get(stage)) for stage in STAGES),
                seconds(cold["report"]),
                seconds(cold["compile"]),
                seconds(cold["save"]),
                size(cold["size"]),
                size(cold["size"] - cold["fx_size"]),
                f"{cold['max_error']:.1e}",
            )
        )
    return Table(
        "Cold compile",
        ("model", "nodes", "submodules", "native kernels", *STAGES, "report", "all", "save",
         "artifact", "without FX bytes", "max error"),
        tuple(rows),
        (
            "From `transformers` configurations with random weights: real depth, toy width.",
            "The Inductor cache is empty at the start, unless the heading names one.",
            ("In a fresh process, from a finished `import torch` and a finished model; the stage "
            "lower imports Inductor, probes the processor and runs the C++ compiler."),
            ("max error: largest absolute difference from eager, reloaded with the real weights, "
            "at two sequence lengths."),
            *sayings.notes(),
        ),
    )  # fmt: skip


def _reloads(results: Mapping[str, Any], imports: Mapping[str, float]) -> Table:
    sayings = Sayings()
    imported = imports.get("import torch._dynamo and torch._inductor", 0.0)
    rows = []
    for name, result in results.items():
        kept = result.get("kept", {})
        loads = {path: median(kept.get(path, ()), "load") for path in PATHS}
        cells = [
            sayings.mark(error) if (error := first_error(kept.get(path, ()))) else seconds(load)
            for path, load in loads.items()
        ]
        called = [median(kept.get(path, ()), "load", "first_call") for path in PATHS]
        fx = loads["fx"]
        published = FAMILIES[name].published
        reduction = published.reduction
        rows.append(
            (
                _label(result),
                *cells,
                *map(seconds, called),
                percent_less(fx, loads["torch"]),
                percent_less(fx, loads["native"]),
                percent_less(_without(fx, imported), _without(loads["torch"], imported)),
                percent_less(_without(fx, imported), loads["native"]),
                times(loads["torch"], loads["native"]),
                f"{reduction:.1f}" if reduction is not None else "row cut",
                published.model,
            )
        )
    runs = max((len(a) for r in results.values() for a in r.get("kept", {}).values()), default=0)
    return Table(
        "Warm reload, caches kept",
        ("model", "fx load", "torch load", "native load", "fx + call", "torch + call",
         "native + call", "torch: % less than fx", "native: % less than fx",
         "torch, imports not counted", "native, imports not counted",
         "native: times less than torch", "published: % less", "published for"),
        tuple(rows),
        (
            (f"Medians of up to {runs} fresh processes for each path (two for what takes seconds), "
            "which alternate; `import torch` "
            "and the making of the weights are excluded."),
            ("The fx and torch paths import torch._dynamo and torch._inductor, "
            f"{seconds(imported)} on this machine; columns 'imports not counted' take that off."),
            ("fx deserializes the split FX graph, as vLLM did before vllm-project/vllm#40151; "
            "torch is what that change made of it; native is ours."),
            "Published: seconds of GPU models inside vLLM, so only the reduction compares.",
            *sayings.notes(),
        ),
        left=(0, 13),
    )  # fmt: skip


def _without(load: float | None, imported: float) -> float | None:
    """A load less its imports; None where that leaves nothing to compare with."""
    return load - imported if load and load > imported else None


def _shipped(results: Mapping[str, Any]) -> Table:
    sayings = Sayings()
    rows = []
    for result in results.values():
        shipped, kept = result.get("shipped", {}), result.get("kept", {})
        cells = [
            sayings.mark(error)
            if (error := first_error(shipped.get(path, ())))
            else seconds(median(shipped.get(path, ()), "load"))
            for path in PATHS
        ]
        native = shipped.get("native", ())
        rows.append(
            (
                _label(result),
                *cells,
                seconds(median(native, "load", "first_call")),
                times(median(native, "load"), median(kept.get("native", ()), "load")),
            )
        )
    return Table(
        "Warm reload as shipped: empty Inductor cache, no compiler",
        ("model", "fx load", "torch load", "native load", "native + call", "against cache kept"),
        tuple(rows),
        (
            "With an empty PATH, CXX=/nonexistent and an empty TORCHINDUCTOR_CACHE_DIR.",
            *sayings.notes(),
        ),
    )
