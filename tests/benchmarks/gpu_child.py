"""request (JSON argument) -> an artifact loaded once, called and timed beside outputs of eager.

What a fresh process runs for every reload path of `gpu_check`.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from ipy_fastcompile.children.answer import answer
from tests.benchmarks.calls import wait


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Load on the saved weights, call at two lengths, and tell times and the largest difference."""
    import torch

    device = request["device"]
    torch.zeros(1, device=device).add_(1)
    wait()
    weights = torch.load(request["weights"], weights_only=True, map_location=device)
    example = torch.load(request["example"], weights_only=True, map_location=device)
    import ipy_fastcompile as fc

    load = fc.load  # what it needs is imported before the clock starts
    started = perf_counter()
    function = load(request["path"], weights, via=request["via"])
    steps = {"load_ms": _since(started)}
    started = perf_counter()
    outputs = function(example["ids"])
    wait()
    steps["first_ms"] = _since(started)
    others = function(example["other_ids"])
    pairs = [*zip(outputs, example["out"], strict=True)]
    pairs += zip(others, example["other_out"], strict=True)
    calls = []
    for _ in range(30):
        started = perf_counter()
        function(example["ids"])
        wait()
        calls.append(_since(started))
    return {
        **steps,
        "call_ms": sorted(calls)[15],
        "max_error": max(float((a - b).abs().max()) for a, b in pairs),
        "ways": list(function.kernel_ways),
        "steps_ms": {name: round(1000 * step, 2) for name, step in function.timings.items()},
        "modules": [m for m in ("torch._dynamo", "torch._inductor", "triton") if m in sys.modules],
    }


def _since(started: float) -> float:
    """Milliseconds."""
    return 1000 * (perf_counter() - started)


if __name__ == "__main__":
    answer(main)
