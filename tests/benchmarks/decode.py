"""``decode``, a bench -> a step of generation with a `DynamicCache`, kept in each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.answers import enough, first_error, median
from tests.benchmarks.decode_scripts import SERVE, STEPS
from tests.benchmarks.families import Spec
from tests.benchmarks.run import Run
from tests.benchmarks.table import NOTHING, Sayings, Table, seconds, times

RUNS = 3
LAYERS = 16
# Tokens in the cache before the step.
PAST = 128


def measure(run: Run, layers: int | None, past: int, *, ways: Sequence[str] = tuple(STEPS)) -> None:
    """Compile the step in each way, and load it in fresh processes; store each as it is done."""
    spec = run.spec("llama", layers or LAYERS)
    runs = run.options.runs or RUNS
    found: dict[str, Any] = {"spec": spec.to_data(), "past": past, "ways": {}}
    for name in ways:
        folder = run.options.folder / "decode" / spec.name / name
        folder.mkdir(parents=True, exist_ok=True)
        cache = run.options.inductor_cache or folder / "inductor"

        def ask(cold: bool, name: str = name, folder: Path = folder, cache: Path = cache) -> Any:
            program = ("-c", STEPS[name].script + SERVE)
            request = {"spec": spec.to_data(), "past": past, "folder": str(folder), "cold": cold}
            return run.child(program, request, cache=cache)

        run.say(f"{spec.name}: a step of {STEPS[name].title}, cold")
        result: dict[str, Any] = {"script": STEPS[name].script, "cold": ask(True), "kept": []}
        found["ways"][name] = result
        while "error" not in result["cold"] and not enough(result["kept"], runs):
            run.say(f"{spec.name}: a step of {STEPS[name].title}, {len(result['kept']) + 1}")
            result["kept"].append(ask(False))
        run.store("decode", found)


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Every way with its load, its first step and its steady step, and eager's beside it."""
    spec, sayings, rows = Spec(**results["spec"]), Sayings(), []
    for name, result in results["ways"].items():
        answers = result["kept"]
        error = result["cold"].get("error") or first_error(answers)
        step, eager = median(answers, "call"), median(answers, "eager")
        worst = median(answers, "max_error")
        rows.append(
            (
                STEPS[name].title,
                seconds(result["cold"].get("compile")),
                *(seconds(median(answers, k)) for k in ("load", "first_call")),
                seconds(step),
                seconds(eager),
                times(eager, step),
                NOTHING if worst is None else f"{worst:.1e}",
                sayings.mark(str(error), "says") if error else "",
            )
        )
    measured = [STEPS[name] for name in results["ways"]]
    return [
        Table(
            f"Decode step: {spec.family}, {spec.layers} layers, {results['past']} tokens before",
            ("way", "compile", "load", "first step", "step", "eager, beside it", "times faster",
             "max error", "failed"),
            tuple(rows),
            (
                ("One token with a DynamicCache, in place; hidden "
                f"{spec.hidden}, {spec.device}, {spec.dtype}; medians of fresh processes, with the "
                "Inductor cache of the compile. The cache is as long before every step."),
                ("max error: largest absolute difference from eager over three steps after "
                f"{results['past']} and after 7 tokens, in logits and in the cache."),
                *(way.note for way in measured if way.note),
                *sayings.notes(),
            ),
            left=(0, 8),
        )
    ]  # fmt: skip
