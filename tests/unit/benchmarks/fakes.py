"""A run whose children answer from a function, and documents of finished runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.options import Options
from tests.benchmarks.run import Run

Answer = Callable[[Sequence[str], Mapping[str, Any], Path | None], dict[str, Any]]

COLD = {
    "import torch": 1.5,
    "build": 0.1,
    "stages": {"capture": 12.0, "split": 0.3, "lower": 20.0, "codegen": 0.02, "pack": 2.0},
    "report": 0.5,
    "compile": 34.82,
    "save": 0.05,
    "size": 1_300_000,
    "fx_size": 400_000,
    "nodes": 5653,
    "submodules": 161,
    "kernels": 3,
    "native": 3,
    "why": [],
    "code_lines": 1200,
    "code_bytes": 100_000,
    "peak_memory": 900_000_000,
    "views": {"text": 0.1, "html": 0.2, "page": 0.3, "explorer": 0.4, "page bytes": 2_000_000},
    "calls": {"first": 0.02, "compiled": 0.009, "eager": 0.02},
    "max_error": 2.1e-7,
}
RELOAD = {
    "fx": {"load": 6.4, "first_call": 0.03, "call": 0.011, "steps": {"graph": 4.4, "kernels": 1.9}},
    "torch": {"load": 1.9, "first_call": 0.03, "call": 0.011, "steps": {"kernels": 1.9}},
    "native": {
        "load": 0.004,
        "first_call": 0.011,
        "call": 0.009,
        "steps": {"import torch": 1.5, "verify": 0.001, "kernels": 0.003},
    },
}
NO_COMPILER = "InvalidCxxCompiler: No working C++ compiler found"


class FakeRun(Run):
    """A run that starts no process; ``asked`` lists what its children were asked."""

    def __init__(self, folder: Path, answer: Answer, **options: Any) -> None:
        self.written: list[dict[str, Any]] = []
        self.asked: list[tuple[Sequence[str], Mapping[str, Any], Path | None]] = []
        self._answer = answer
        super().__init__(
            Options(folder=folder, quiet=True, **options),
            lambda run: self.written.append(copy.deepcopy(run.document["results"])),
            {"results": {}},
        )

    def child(
        self, program: Sequence[str], request: Mapping[str, Any], *, cache: Path | None
    ) -> dict[str, Any]:
        self.asked.append((program, request, cache))
        return self._answer(program, request, cache)


def answer_all(
    program: Sequence[str], request: Mapping[str, Any], cache: Path | None
) -> dict[str, Any]:
    """What healthy children say; without a compiler only the native path loads."""
    if program[-1] == "tests.benchmarks.cold":
        layers = request["spec"]["layers"]
        stages = {name: s * layers / 80 for name, s in COLD["stages"].items()}  # type: ignore[attr-defined]
        return {**COLD, "stages": stages, "code_bytes": 1_250 * layers, "wall": 40.0}
    if "via" in request:
        if cache is None and request["via"] != "native":
            return {"error": NO_COMPILER, "wall": 3.0}
        return {**RELOAD[request["via"]], "wall": 4.0}
    if "cold" in request:
        if request["cold"]:
            Path(request["folder"], "kept").write_bytes(b"x" * 1000)
            return {"compile": 30.0, "first_call": 5.0, "save": 0.5, "imports": 1.0, "wall": 40.0}
        if cache is None and "via='native'" not in program[1]:
            return {"imports": 1.0, "error": f"load: {NO_COMPILER}", "wall": 3.0}
        load = 0.004 if "via='native'" in program[1] else 1.0
        return {
            "imports": 1.0,
            "load": load,
            "first_call": 0.01,
            "other_call": 0.01,
            "call": 0.009,
            "eager": 0.018,
            "max_error": 2e-7,
            "wall": 5.0,
        }
    if "seconds" in request:
        calls = {"eager": 0.2, "native": 0.1, "torch": 0.11, "torch.compile": 0.1}
        return {"calls": calls, "errors": {}, "max_error": dict.fromkeys(calls, 1e-6)}
    if "inspect(" in program[1]:
        return {"import": 0.02, "inspect": 0.01, "read report": 0.05, "torch": False}
    return {"before": ["torch._functorch"], "added": [], "number added": 12}
