"""request (JSON argument) -> generations recorded, compiled and saved, or reloaded and compared.

Reloading runs in a process without a compiler and with an empty Inductor cache.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import ipy_fastcompile as fc
from ipy_fastcompile.children.answer import answer
from ipy_fastcompile.errors import FastCompileWarning
from ipy_fastcompile.torch_compat.module_calls import call_watched
from tests.architectures.each import answer_each
from tests.architectures.generation_models import Generation, make

# Batches and lengths of prompts. A static cache has both for numbers, which are seen to vary.
RECORDED_TOO = {"static": ((1, 11), (3, 13))}
# Those that are tried after a reload.
TRIED = tuple((batch, length) for batch in (1, 3) for length in (5, 14, 17))


def compile(name: str, path: Path) -> dict[str, Any]:
    """Record, compile and save; the names of its programs, and why a kernel is not native."""
    case, options = _case(name)
    with fc.record(case.model, dynamic="auto") as calls:
        for batch, length in (*case.recorded, *RECORDED_TOO.get(name.partition("-")[2], ())):
            case.run(batch, length, **options)
    compiled = fc.compile(case.model, calls=calls)
    compiled.save(path)
    programs = compiled.report.programs or (compiled.report,)
    kernels = [kernel for program in programs for kernel in program.kernels]
    return {
        "programs": [program.name for program in programs],
        "not native": sorted({kernel.why for kernel in kernels if not kernel.native}),
    }


@dataclass
class Watched:
    """Counts the calls of a model that each program of a function served, and all others."""

    function: Any
    served: Counter[str] = field(default_factory=Counter)
    own: int = 0

    def asked(self, own: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """A call that somebody makes of the model."""
        before = self.own
        fit = self.function.find(args, kwargs)
        result = own(*args, **kwargs)
        if self.own == before:
            assert fit is not None
            (name,) = (n for n, f in self.function.programs.items() if f.flat is fit.function)
            self.served[name] += 1
        return result

    def left(self, own: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """A call that was left to the model itself."""
        self.own += 1
        return own(*args, **kwargs)


def reload(name: str, path: Path) -> dict[str, Any]:
    """Load, and generate with it; which prompts do not give eager's tokens, and who was called."""
    assert os.environ["PATH"] == "", "this is to run where no compiler can be found"
    case, options = _case(name)
    function = fc.load(path, case.model)
    watched = Watched(function)
    wrong, told = [], ""
    for batch, length in TRIED:
        expected = case.run(batch, length, **options)
        with (
            call_watched(case.model, watched.left),
            function.installed(case.model),
            call_watched(case.model, watched.asked),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            found = case.run(batch, length, **options)
        ours = [str(each.message) for each in caught if each.category is FastCompileWarning]
        told = told or next(iter(ours), "")
        if not torch.equal(found, expected):
            wrong.append(f"batch {batch}, {length} tokens: {found.tolist()}")
    return {
        "ways": sorted(set(function.kernel_ways)),
        "served": watched.served,
        "own": watched.own,
        "why": told.splitlines()[-1] if told else "",
        "wrong": "; ".join(wrong)[:400],
    }


def _case(name: str) -> tuple[Generation, dict[str, Any]]:
    """A model by its name, ``gpt2`` or ``gpt2-static``, and what `generate` is told beside."""
    name, _, cache = name.partition("-")
    return make(name), {"cache_implementation": cache} if cache else {}


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    answer(lambda request: answer_each(request, {"compile": compile, "reload": reload}))
