"""``peers``, a bench -> one model, kept by every peer: cold, reloaded, with no compiler too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.answers import enough, first_error, median
from tests.benchmarks.families import Spec
from tests.benchmarks.peer_scripts import OURS, PEERS, SERVE
from tests.benchmarks.run import Run
from tests.benchmarks.table import NOTHING, Sayings, Table, seconds, size, times

RUNS = 5
LAYERS = 16
# How a load is run: with the Inductor cache of the cold run, with an empty one and a compiler, or
# with an empty one and none.
MODES = ("kept", "empty", "shipped")


def measure(
    run: Run, peers: Sequence[str], layers: int | None, modes: Sequence[str], *, part: str = "peers"
) -> None:
    """Measure each peer, and store it as soon as it is done."""
    spec = run.spec("llama", layers or LAYERS)
    runs = run.options.runs or RUNS
    found: dict[str, Any] = {"spec": spec.to_data(), "peers": {}}
    for name in peers:
        result: dict[str, Any] = {"script": PEERS[name].script}
        found["peers"][name] = result
        result["cold"] = cold = measure_cold(run, name, spec)
        run.store(part, found)
        if "error" in cold:
            continue
        for mode in modes:
            result[mode] = measure_loads(run, name, spec, runs=runs, mode=mode)
            run.store(part, found)


def measure_cold(run: Run, name: str, spec: Spec) -> dict[str, Any]:
    """What the peer's cold run took, once in a run; it leaves what the peer keeps in a folder."""
    keeper = PEERS[name].kept_by or name
    folder = _folder(run, keeper, spec)
    folder.mkdir(parents=True, exist_ok=True)

    def compile_() -> dict[str, Any]:
        run.say(f"{spec.name}: {PEERS[keeper].title}, cold")
        request = {"spec": spec.to_data(), "folder": str(folder), "cold": True}
        answer = run.child(_program(keeper), request, cache=_cache(run, folder))
        total = sum(answer.get(key, 0.0) for key in ("compile", "first_call", "save"))
        kept = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
        return {**answer, "total": total, "size": kept or _tree_size(_cache(run, folder))}

    return run.once(f"peer {keeper} {spec.name}", compile_)


def measure_loads(run: Run, name: str, spec: Spec, *, runs: int, mode: str) -> list[dict[str, Any]]:
    """Fresh processes that load what the cold run left; stops after a failure, or a slow run."""
    folder = _folder(run, PEERS[name].kept_by or name, spec)
    request = {"spec": spec.to_data(), "folder": str(folder), "cold": False}
    answers: list[dict[str, Any]] = []
    for number in range(runs):
        run.say(f"{spec.name}: {PEERS[name].title}, {mode}, {number + 1} of {runs}")
        if mode == "empty":
            with run.empty_folder() as empty:
                answer = run.child(_program(name), request, cache=empty)
        else:
            cache = _cache(run, folder) if mode == "kept" else None
            answer = run.child(_program(name), request, cache=cache)
        answers.append(answer)
        if enough(answers, runs):
            break
    return answers


def _program(name: str) -> tuple[str, str]:
    return ("-c", PEERS[name].script + SERVE)


def _folder(run: Run, name: str, spec: Spec) -> Path:
    return run.options.folder / "peers" / spec.name / name


def _cache(run: Run, folder: Path) -> Path:
    """The Inductor cache of a peer: its own, or it would find what another one compiled."""
    return run.options.inductor_cache or folder / "inductor"


def _tree_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Every peer with its cold run and its loads, and ours beside them."""
    spec = Spec(**results["spec"])
    measured = {name: results["peers"][name] for name in PEERS if name in results["peers"]}
    modes = [mode for mode in MODES if any(mode in r for r in measured.values())]
    return [_summary(spec, measured, modes), *(_loads(spec, measured, mode) for mode in modes)]


_MODE_TITLES = {
    "kept": "caches kept",
    "empty": "Inductor cache empty, compiler there",
    "shipped": "shipped",
}
_MODE_NOTES = {
    "kept": "kept: with the Inductor cache of the cold run, and a compiler.",
    "empty": "empty: with an empty Inductor cache, and a compiler.",
    "shipped": "shipped: with an empty Inductor cache, an empty PATH and CXX=/nonexistent.",
}


def _to_output(answers: Sequence[Mapping[str, Any]]) -> float | None:
    return median(answers, "load", "first_call")


def _summary(spec: Spec, measured: Mapping[str, Any], modes: Sequence[str]) -> Table:
    sayings = Sayings()
    ours = {mode: _to_output(measured.get("native", {}).get(mode, ())) for mode in modes}
    rows = []
    for name, result in measured.items():
        cold = result["cold"]
        if "error" in cold:
            cell = sayings.mark(cold["error"])
            rows.append((PEERS[name].title, cell, *[NOTHING] * (2 * len(modes) + 2)))
            continue
        cells = []
        for mode in modes:
            answers = result.get(mode, ())
            error = first_error(answers)
            value = _to_output(answers)
            cells.append(sayings.mark(error) if error else seconds(value))
            cells.append(times(value, ours[mode]) if name not in OURS or error else "")
        call = median(result.get("kept", ()), "call")
        rows.append(
            (
                PEERS[name].title,
                seconds(cold["total"]),
                *cells,
                seconds(call),
                size(cold["size"]),
            )
        )
    heads = [h for mode in modes for h in (f"to first output, {mode}", "times ours")]
    slowest = max((len(r.get("kept", ())) for r in measured.values()), default=0)
    notes = [
        (
            f"{spec.family}, {spec.layers} layers, hidden {spec.hidden}, {spec.device}, "
            f"{spec.dtype}; every process builds the model and reads the same saved weights "
            "before the clock starts."
        ),
        (
            "cold: compile, first output, save. To first output: load and first call, the median "
            f"of up to {slowest} fresh processes; the clock starts when "
            "torch is imported, and runs while other modules are."
        ),
        *(_MODE_NOTES[mode] for mode in modes),
        *(peer.note for name, peer in PEERS.items() if peer.note and name in measured),
        *sayings.notes(),
    ]
    return Table(
        f"Peers: {spec.family}, {spec.layers} layers",
        ("way", "cold", *heads, "steady call", "kept bytes"),
        tuple(rows),
        tuple(notes),
    )


def _loads(spec: Spec, measured: Mapping[str, Any], mode: str) -> Table:
    sayings = Sayings()
    rows = []
    for name, result in measured.items():
        answers = result.get(mode, ())
        if not answers:
            continue
        error = first_error(answers)
        # What was measured before it failed is shown, too.
        partial = [{k: v for k, v in a.items() if k != "error"} for a in answers]
        found = median(partial, "max_error")
        rows.append(
            (
                PEERS[name].title,
                str(len(answers)),
                *(seconds(median(partial, k)) for k in ("load", "imports", "first_call")),
                seconds(median(partial, "load", "first_call")),
                *(seconds(median(partial, k)) for k in ("other_call", "call")),
                NOTHING if found is None else f"{found:.1e}",
                sayings.mark(error, "says") if error else "",
            )
        )
    return Table(
        f"Peers: {spec.family}, {spec.layers} layers; {_MODE_TITLES[mode]}",
        ("way", "runs", "load", "of which imports", "first call", "load + first call",
         "first call of another length", "steady call", "max error", "failed"),
        tuple(rows),
        sayings.notes(),
        left=(0, 9),
    )  # fmt: skip
