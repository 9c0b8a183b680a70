"""``native``, a bench -> what the native path promises, each promise beside the figure measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import growth, peers
from tests.benchmarks.answers import extremes, first_error, median, median_steps
from tests.benchmarks.run import KEPT, PATHS, Run
from tests.benchmarks.table import NOTHING, Sayings, Table, percent_less, seconds, size, times

RUNS = 5
LAYERS = 80
DEPTHS = (20, 40, 80, 160, 320)
WIDE = {"layers": 4, "hidden": 1024, "tokens": 128}
PARTS = ("reload", "modules", "aotinductor", "depths", "calls")
# Long enough for a dozen rounds of four callables at the wide width.
_CALL_SECONDS = 12.0

# Which modules a native load and a call bring into a process that only imported torch.
_MODULES = """
import json, sys
import torch
before = set(sys.modules)
from ipy_fastcompile.artifact import open_artifact
from ipy_fastcompile.runtime.inputs import example_inputs
from ipy_fastcompile.runtime.load import load_parts
from ipy_fastcompile.runtime.parameters import tensors_for
from ipy_fastcompile.artifact.schema import read_program
parts = open_artifact(json.loads(sys.argv[1])["path"])
program = read_program(parts.manifest, parts.path)
function = load_parts(parts, tensors_for(program.parameters), with_tree=False)
function.flat(example_inputs(program))
heavy = ("torch._dynamo", "torch._inductor", "torch._functorch", "triton", "sympy")
after = set(sys.modules)
print(json.dumps({
    "before": [m for m in heavy if m in before],
    "added": [m for m in heavy if m in after - before],
    "number added": len(after - before),
}))
"""


def measure(
    run: Run,
    layers: int | None,
    depths: Sequence[int],
    parts: Sequence[str],
    wide: Mapping[str, int] | None = None,
) -> None:
    """Measure the parts in order, and store each as soon as it is done."""
    spec = run.spec("llama", layers or LAYERS)
    runs = run.options.runs or RUNS
    found: dict[str, Any] = {"spec": spec.to_data()}

    def store(name: str, value: Any) -> None:
        found[name] = value
        run.store("native", found)

    cold = run.cold(spec, shared=True)
    store("cold", cold)
    if "error" in cold:
        return
    if "reload" in parts:
        store("reload", run.reloads(cold, (*KEPT, ("shipped", "native")), runs=runs))
    if "modules" in parts:
        store("modules", run.child(("-c", _MODULES), {"path": cold["path"]}, cache=None))
    if "aotinductor" in parts:
        answer = peers.measure_cold(run, "aotinductor", spec)
        store("aotinductor", {"cold": answer})
        if "error" not in answer:
            loads = peers.measure_loads(run, "aotinductor", spec, runs=min(runs, 3), mode="kept")
            store("aotinductor", {"cold": answer, "kept": loads})
    if "depths" in parts:
        store("depths", {str(n): growth.measure_depth(run, n) for n in sorted(depths)})
    if "calls" in parts:
        store("calls", _measure_calls(run, wide or WIDE))


def _measure_calls(run: Run, wide: Mapping[str, int]) -> dict[str, Any]:
    sizes = {**wide}
    spec = run.spec("llama", sizes.pop("layers"), **sizes)
    cold = run.cold(spec)
    if "error" in cold:
        return {"spec": spec.to_data(), "error": cold["error"]}
    run.say(f"{spec.name}: calls")
    request = {"spec": spec.to_data(), "path": cold["path"], "seconds": _CALL_SECONDS}
    program = ("-m", "tests.benchmarks.calls")
    answer = run.child(program, request, cache=Path(cold["cache"]))
    return {"spec": spec.to_data(), **answer}


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Reloads and their steps, the promises, growth of the load, and calls."""
    found = [_promises(results)]
    if "reload" in results:
        found.append(_steps(results))
    if "depths" in results:
        found.append(_depths(results["depths"]))
    if "calls" in results:
        found.append(_calls(results["calls"]))
    return found


def _promises(results: Mapping[str, Any]) -> Table:
    """What was asked for, what was measured, and whether that is enough."""
    sayings = Sayings()
    rows: list[tuple[str, ...]] = []

    def row(what: str, wanted: str, found: str, holds: bool | None) -> None:
        word = NOTHING if holds is None else "yes" if holds else "no"
        rows.append((what, wanted, found, word))

    cold = results["cold"]
    if "error" in cold:
        row("cold compile", "succeeds", sayings.mark(cold["error"]), False)
    reload = results.get("reload", {}).get("kept", {})
    native = reload.get("native", ())
    if error := first_error(native):
        row("native load", "succeeds", sayings.mark(error), False)
    load = median(native, "load")
    if load:
        low, high = extremes(native, "load") or (load, load)
        found = f"{seconds(load)} ({seconds(low)} to {seconds(high)})"
        row("native load, median", "at most 10 ms", found, load <= 0.010)
        for path, least in (("torch", 100), ("fx", 300)):
            other = median(reload.get(path, ()), "load")
            holds = None if other is None else other / load >= least
            row(f"times less than {path}", f"at least {least}", times(other, load), holds)
        steps = median_steps(native)
        share = steps.get("verify", 0.0) / load
        row("verification's share of it", "at most a third", f"{share:.0%}", share <= 1 / 3)
    called = median(native, "load", "first_call")
    aot = results.get("aotinductor", {})
    if aot:
        error = aot["cold"].get("error", "") or first_error(aot.get("kept", ()))
        other = median(aot.get("kept", ()), "load", "first_call")
        found = sayings.mark(error) if error else f"{seconds(called)} of {seconds(other)}"
        holds = called < other / 10 if called and other else None
        row("load + first call, of AOTInductor's", "under 1/10", found, holds)
    shipped = results.get("reload", {}).get("shipped", {}).get("native", ())
    if shipped:
        bare = median(shipped, "load")
        error = first_error(shipped)
        change = None if not bare or not load else bare / load - 1
        found = seconds(bare) if change is None else f"{seconds(bare)} ({change:+.0%})"
        holds = False if error else None if change is None else change <= 0.2
        found = sayings.mark(error) if error else found
        row("load with no compiler, empty cache", "at most 20 % more", found, holds)
    modules = results.get("modules", {})
    if modules:
        added = modules.get("added", [])
        text = ", ".join(added) or "none"
        text = sayings.mark(modules["error"]) if "error" in modules else text
        wanted = "no torch._dynamo, no torch._inductor"
        bad = {"torch._dynamo", "torch._inductor"} & set(added)
        row("modules a load and a call import", wanted, text, "error" not in modules and not bad)
    if "size" in cold:
        small = cold["size"] - cold["fx_size"]
        row("artifact without the FX bytes", "under 1 MB", size(small), small < 1_000_000)
        worst = cold["max_error"]
        row("max error against eager", "under 1e-4", f"{worst:.1e}", worst < 1e-4)
    spec = results["spec"]
    return Table(
        f"Native path: {spec['family']}, {spec['layers']} layers, hidden {spec['hidden']}",
        ("what", "wanted", "measured", "holds"),
        tuple(rows),
        (
            (
                f"Medians of {len(native)} fresh processes; `import torch` and the making of the "
                "model are excluded."
            ),
            (
                "Already imported by `import torch` itself: "
                f"{', '.join(modules.get('before', [])) or 'none of the modules looked for'}."
            ),
            *sayings.notes(),
        ),
        left=(0, 1, 2, 3),
    )


def _steps(results: Mapping[str, Any]) -> Table:
    reload = results["reload"]["kept"]
    sayings = Sayings()
    steps = {path: median_steps(reload.get(path, ())) for path in PATHS}
    names = list(dict.fromkeys(step for found in steps.values() for step in found))
    excluded = [n for n in names if n.startswith("import")]
    rows = [
        (
            f"{name} (not counted)" if name in excluded else name,
            *(seconds(steps[path].get(name)) for path in PATHS),
        )
        for name in names
    ]
    for title, fields in (
        ("load", ("load",)),
        ("first call", ("first_call",)),
        ("load + first call", ("load", "first_call")),
        ("call", ("call",)),
    ):
        rows.append((title, *(seconds(median(reload.get(p, ()), *fields)) for p in PATHS)))
    for path in PATHS:
        if error := first_error(reload.get(path, ())):
            sayings.mark(f"{path}: {error}")
    load = {path: median(reload.get(path, ()), "load") for path in PATHS}
    rows.append(("load: % less than fx", *(percent_less(load["fx"], load[p]) for p in PATHS)))
    return Table(
        "Native path: where a reload's time goes", ("step", *PATHS), tuple(rows), sayings.notes()
    )


def _depths(results: Mapping[str, Any]) -> Table:
    depths = sorted(map(int, results))
    first = results[str(depths[0])]

    def against(result: Mapping[str, Any], path: Sequence[str]) -> str:
        value, base = growth.look_up(result, path), growth.look_up(first, path)
        return NOTHING if not value or not base else f"{value / base:.2f} x"

    sayings = Sayings()
    rows = []
    for layers in depths:
        result = results[str(layers)]
        code = ("cold", "code_bytes")
        error = result["cold"].get("error", "") or first_error(result.get("native", ()))
        rows.append(
            (
                str(layers),
                sayings.mark(error) if error else seconds(growth.look_up(result, ("load",))),
                against(result, ("load",)),
                size(growth.look_up(result, code)),
                against(result, code),
                size(result.get("small")),
            )
        )
    exponents = [
        growth.exponent(growth.points_of(results, path))
        for path in (("load",), ("cold", "code_bytes"))
    ]
    shown = [NOTHING if value is None else f"{value:.2f}" for value in exponents]
    return Table(
        "Native path: load time beside the execution code's length",
        ("layers", "native load", "against the first", "execution code", "against the first",
         "artifact without FX bytes"),
        tuple(rows),
        (f"Exponents of the load and of the code: {shown[0]} and {shown[1]}.", *sayings.notes()),
    )  # fmt: skip


def _calls(result: Mapping[str, Any]) -> Table:
    spec = result["spec"]
    sayings = Sayings()
    title = (
        f"Steady call where kernels dominate: {spec['layers']} layers, hidden {spec['hidden']}, "
        f"{spec['tokens']} tokens, {spec['dtype']}, {spec['device']}"
    )
    heads = ("way", "call", "against torch.compile", "max error")
    if "error" in result:
        return Table(
            title, heads, (("all", sayings.mark(result["error"]), "", ""),), sayings.notes()
        )
    calls, whole = result["calls"], result["calls"].get("torch.compile")
    rows = [
        (
            name,
            seconds(value),
            NOTHING if not whole else f"{value / whole - 1:+.1%}",
            f"{result['max_error'][name]:.1e}",
        )
        for name, value in calls.items()
    ]
    rows += [(name, sayings.mark(text), "", "") for name, text in result["errors"].items()]
    note = "One process; calls alternate; torch.compile(fullgraph=True) of the whole model."
    return Table(title, heads, tuple(rows), (note, *sayings.notes()))
