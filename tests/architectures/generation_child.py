"""request (JSON argument) -> generations recorded, compiled and saved, or reloaded and compared.

Reloading runs in a process without a compiler and with an empty Inductor cache.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

import ipy_fastcompile as fc
from ipy_fastcompile.children.answer import answer
from tests.architectures.each import answer_each
from tests.architectures.generation_models import Generation, make

# Batches and lengths of the prompts that are recorded, and of those that are tried after a reload.
RECORDED = ((1, 9), (3, 11))
TRIED = tuple((batch, length) for batch in (1, 3) for length in (5, 14, 17))


def compile(name: str, path: Path) -> dict[str, Any]:
    """Record, compile and save; the names of its programs, and why a kernel is not native."""
    case, options = _case(name)
    with fc.record(case.model) as calls:
        for batch, length in RECORDED:
            case.run(batch, length, **options)
    compiled = fc.compile(case.model, calls=calls)
    compiled.save(path)
    programs = compiled.report.programs or (compiled.report,)
    kernels = [kernel for program in programs for kernel in program.kernels]
    return {
        "programs": [program.name for program in programs],
        "not native": sorted({kernel.why for kernel in kernels if not kernel.native}),
    }


def reload(name: str, path: Path) -> dict[str, Any]:
    """Load, and generate with it; which prompts do not give eager's tokens, or none at all."""
    assert os.environ["PATH"] == "", "this is to run where no compiler can be found"
    case, options = _case(name)
    function = fc.load(path, case.model)
    wrong = []
    for batch, length in TRIED:
        expected = case.run(batch, length, **options)
        with function.installed(case.model, strict=True):
            found = case.run(batch, length, **options)
        if not torch.equal(found, expected):
            wrong.append(f"batch {batch}, {length} tokens: {found.tolist()}")
    return {"ways": sorted(set(function.kernel_ways)), "wrong": "; ".join(wrong)[:400]}


def _case(name: str) -> tuple[Generation, dict[str, Any]]:
    """A model by its name, ``gpt2`` or ``gpt2-static``, and what `generate` is told beside."""
    name, _, cache = name.partition("-")
    return make(name), {"cache_implementation": cache} if cache else {}


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    answer(lambda request: answer_each(request, {"compile": compile, "reload": reload}))
