"""A stage -> where its time goes: torch's own functions, the model's library, and ours."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ipy_fastcompile.children.answer import answer
from tests.benchmarks.families import Spec, build
from tests.benchmarks.run import Run
from tests.benchmarks.table import Sayings, Table, seconds

STAGES = ("capture", "split", "lower", "codegen", "pack", "report")
LAYERS = 40
_MOST_ROWS = 25

Timings = Mapping[tuple[str, int, str], tuple[int, int, float, float, Any]]


def measure(run: Run, stage: str, layers: int) -> None:
    """Profile one stage in a fresh process, and store what it did."""
    spec = run.spec("llama", layers)
    run.say(f"{spec.name}: profile of {stage}")
    request = {"spec": spec.to_data(), "stage": stage}
    program = ("-m", "tests.benchmarks.profiling")
    found = run.child(program, request, cache=run.cache_for(spec, shared=True))
    run.store("profile", {"spec": spec.to_data(), "stage": stage, **found})


def profile_stage(request: dict[str, Any]) -> dict[str, Any]:
    """Run the stages up to the one asked for, that one under the profiler."""
    from ipy_fastcompile.engine.calls.capture import capture
    from ipy_fastcompile.engine.code.codegen import generate_execution_code
    from ipy_fastcompile.engine.graph.split import split
    from ipy_fastcompile.engine.kernels.lower import lower
    from ipy_fastcompile.engine.pack import pack
    from ipy_fastcompile.engine.program import CompiledProgram
    from ipy_fastcompile.engine.report import build_report

    case = build(Spec(**request["spec"]))
    made: dict[str, Any] = {}
    steps: dict[str, Callable[[], Any]] = {
        "capture": lambda: capture(case.model, (), case.kwargs, dynamic=case.dynamic),
        "split": lambda: split(made["capture"]),
        "lower": lambda: lower(made["split"]),
        "codegen": lambda: generate_execution_code(made["lower"]),
        "pack": lambda: pack([CompiledProgram("", made["lower"], made["codegen"])]),
        "report": lambda: build_report(
            [CompiledProgram("", made["lower"], made["codegen"])], made["pack"], ()
        ),
    }
    for name, step in steps.items():
        if name != request["stage"]:
            made[name] = step()
            continue
        profiler = cProfile.Profile()
        profiler.enable()
        step()
        profiler.disable()
        return summarise(pstats.Stats(profiler).stats)  # type: ignore[attr-defined]
    raise ValueError(f"There is no stage {request['stage']!r}; there are {', '.join(steps)}.")


def owner_of(file: str) -> str:
    """Whose code a file is: "ours", or the package in site-packages, or "python" and "builtin"."""
    parts = Path(file).parts
    if "ipy_fastcompile" in parts:
        return "ours"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return "builtin" if file == "~" else "python"


def summarise(timings: Timings) -> dict[str, Any]:
    """Own seconds by owner, and the functions of torch and of ours that cost most.

    A function of Python or of C counts for whoever called it, in proportion to the time it spent
    for each caller.
    """
    owners: dict[str, float] = {}
    for (file, _, _), (_, _, own, _, callers) in timings.items():
        owner = owner_of(file)
        if owner not in ("builtin", "python") or not callers:
            owners[owner] = owners.get(owner, 0.0) + own
            continue
        whole = sum(entry[2] for entry in callers.values()) or 1.0
        for (caller_file, _, _), entry in callers.items():
            caller = owner_of(caller_file)
            owners[caller] = owners.get(caller, 0.0) + own * entry[2] / whole
    functions: list[dict[str, Any]] = [
        {
            "owner": owner_of(file),
            "function": name,
            "place": f"{_short(file)}:{line}",
            "calls": calls,
            "own": own,
            "all": cumulative,
        }
        for (file, line, name), (_, calls, own, cumulative, _) in timings.items()
    ]
    ours = [f for f in functions if f["owner"] == "ours"]
    torchs = [f for f in functions if f["owner"] == "torch"]
    parts: dict[str, float] = {}
    for (file, _, _), (_, _, own, _, _) in timings.items():
        if owner_of(file) == "torch":
            part = "/".join(_short(file).split("/")[:3])
            parts[part] = parts.get(part, 0.0) + own
    return {
        "seconds": sum(own for _, _, own, _, _ in timings.values()),
        "owners": dict(sorted(owners.items(), key=lambda item: -item[1])),
        "parts": dict(sorted(parts.items(), key=lambda item: -item[1])[:_MOST_ROWS]),
        "ours": sorted(ours, key=lambda f: -f["all"])[:_MOST_ROWS],
        "torch": sorted(torchs, key=lambda f: -f["all"])[:_MOST_ROWS],
        "own": sorted(functions, key=lambda f: -f["own"])[:_MOST_ROWS],
    }


def _short(file: str) -> str:
    parts = Path(file).parts
    for root in ("site-packages", "ipy_fastcompile"):
        if root in parts:
            return "/".join(parts[parts.index(root) + (root == "site-packages") :])
    return parts[-1] if parts else file


def tables(result: Mapping[str, Any]) -> list[Table]:
    """Whose code the time goes to, then the costliest functions of ours, of torch, and of all."""
    spec = result["spec"]
    title = f"Profile of {result['stage']}, {spec['family']}, {spec['layers']} layers"
    sayings = Sayings()
    if "error" in result:
        row = (sayings.mark(result["error"]), "", "")
        return [Table(title, ("whose", "seconds", "share"), (row,), sayings.notes())]
    whole = result["seconds"]
    found = [
        Table(
            title,
            ("whose", "own time", "share"),
            tuple(
                (owner, seconds(own), f"{own / whole:.1%}")
                for owner, own in result["owners"].items()
            ),
            (
                (
                    f"{seconds(whole)} under cProfile, which makes small functions look several "
                    "times slower than they are: read the shares."
                ),
            ),
        )
    ]
    found.append(
        Table(
            f"{title}: parts of torch",
            ("part", "own time", "share"),
            tuple((p, seconds(own), f"{own / whole:.1%}") for p, own in result["parts"].items()),
        )
    )
    for key, words in (
        ("ours", "our functions, with what they call"),
        ("torch", "torch's functions, with what they call"),
        ("own", "functions by their own time"),
    ):
        rows = tuple(
            (f["function"], f["place"], f"{f['calls']:,}", seconds(f["own"]), seconds(f["all"]))
            for f in result[key]
        )
        heads = ("function", "place", "calls", "own time", "with callees")
        found.append(Table(f"{title}: {words}", heads, rows, left=(0, 1)))
    return found


if __name__ == "__main__":
    answer(profile_stage)
