"""request (JSON argument) -> one reload, timed; the result as a line of JSON on standard output.

What a fresh process runs for the warm-reload table; see `ipy_fastcompile.runtime.fresh`. Modules
that register ops are imported because the parent names them, not on the artifact's say-so.
"""

from __future__ import annotations

import gc
import sys
from time import perf_counter
from typing import Any

OUR_IMPORT = "import ipy_fastcompile"


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Load all programs, call the first a few times, and tell the seconds of each step."""
    steps: dict[str, float] = {}
    mark = perf_counter()

    def step(name: str) -> None:
        nonlocal mark
        now = perf_counter()
        steps[name] = now - mark
        mark = now

    import torch

    step("import torch")
    # Before anything else of ours: what a load imports is part of it.
    from ..artifact import open_artifact
    from .load import load_parts

    step(OUR_IMPORT)
    from importlib import import_module

    from ..artifact.described import tensors_of
    from ..artifact.schema import read_programs
    from .inputs import example_inputs
    from .parameters import tensors_for

    mark = perf_counter()
    for name in request["modules"]:
        import_module(name)
    if request["modules"]:
        step("import ops")
    # Made before the clock of the load starts: a user's model is there already.
    prepared = open_artifact(request["path"], trust=request["trust"])
    programs = read_programs(prepared.manifest, prepared.path)
    weights = tensors_for(tensors_of(programs))
    leaves = example_inputs(programs[0])
    # What a process that imports torch has done anyway by the time it has a model.
    torch.zeros(1).add_(1)
    # A walk over all of torch takes 80 ms, and is due at some time because of its import.
    gc.collect()

    started = perf_counter()
    parts = open_artifact(request["path"], trust=request["trust"])
    function = load_parts(parts, weights, via=request["via"], with_tree=False)
    load = steps[OUR_IMPORT] + perf_counter() - started
    steps.update(function.timings)
    started = perf_counter()
    function.flat(leaves)
    _wait(torch)
    first_call = perf_counter() - started
    return {
        "steps": steps,
        "load": load,
        "first_call": first_call,
        "call": _steady_call(function, leaves, torch),
        "notes": list(function.notes),
        "ways": list(function.kernel_ways),
        "modules": [m for m in ("torch._dynamo", "torch._inductor", "triton") if m in sys.modules],
    }


def _wait(torch: Any) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _steady_call(function: Any, leaves: Any, torch: Any) -> float:
    """Median of up to 20 calls, or of as many as fit into a second."""
    import statistics

    seconds: list[float] = []
    while len(seconds) < 20 and sum(seconds) < 1.0:
        started = perf_counter()
        function.flat(leaves)
        _wait(torch)
        seconds.append(perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    from ..children.answer import answer

    answer(main)
