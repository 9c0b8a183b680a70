"""request (JSON argument) -> causal models compiled and saved, or reloaded and compared.

The call is ``model(ids)``, and nothing is set that users leave alone. Reloading runs in a process
without a compiler and with an empty Inductor cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import ipy_fastcompile as fc
from ipy_fastcompile.children.answer import answer, error_text
from ipy_fastcompile.errors import CallError, CaptureError
from ipy_fastcompile.runtime.nests import flatten
from ipy_fastcompile.verification.tolerance import bounds_for, compare
from tests.architectures.each import answer_each, read_answer
from tests.architectures.shrink import small_model

# The example's tokens, and those of another call.
LENGTH, OTHER = 9, 13
# What a result calls that which the next step takes.
CACHES = ("past_key_values", "cache_params", "state", "mems", "past_buckets_states")


def tokens(length: int) -> torch.Tensor:
    """Token ids that are no special ones, int64[2, length]."""
    generator = torch.Generator().manual_seed(length)
    return torch.randint(8, 64, (2, length), generator=generator)


def compile(kind: str, path: Path) -> dict[str, Any]:
    """Compile for any length where the model can, and save; which lengths it serves, and why."""
    model = small_model(kind)
    model(tokens(LENGTH))  # a model that cannot be called is none of ours
    lengths, why = [LENGTH, OTHER], ""
    try:
        compiled = fc.compile(model, (tokens(LENGTH),), dynamic={"input_ids": {1: "seq"}})
    except (CallError, CaptureError) as error:
        lengths, why = [LENGTH], error_text(error)
        compiled = fc.compile(model, (tokens(LENGTH),))
    compiled.save(path)
    report = compiled.report
    for symbol in report.symbols[: len(lengths) - 1]:  # a model may serve some lengths only
        lengths[1] = min(OTHER, symbol.max or OTHER)
    return {
        "lengths": lengths,
        "served": [(symbol.min, symbol.max) for symbol in report.symbols],
        "why": why,
        "kernels": len(report.kernels),
        "not native": sorted({kernel.why for kernel in report.kernels if not kernel.native}),
    }


def reload(kind: str, path: Path) -> dict[str, Any]:
    """Load, call at each length, and take a step of eager with the cache; what differs first."""
    assert os.environ["PATH"] == "", "this is to run where no compiler can be found"
    model = small_model(kind)
    function = fc.load(path, model)
    lengths = read_answer(path.parent, kind, "compile")["lengths"]
    found: dict[str, Any] = {"ways": sorted(set(function.kernel_ways)), "cache": "", "wrong": ""}
    for length in lengths:
        ids = tokens(length)
        expected, result = model(ids), function(ids)
        wrong = next(differences(expected, result), "")
        name = next((name for name in CACHES if getattr(expected, name, None) is not None), None)
        if name and not wrong:
            found["cache"] = type(getattr(expected, name)).__name__
            step = tokens(1)
            steps = [model(step, **{name: getattr(one, name)}) for one in (expected, result)]
            wrong = next((f"the next step: {text}" for text in differences(*steps)), "")
        if wrong:
            return {**found, "wrong": f"at length {length}, {wrong}"}
    return found


def differences(expected: Any, found: Any) -> Iterator[str]:
    """Every place where a result is not eager's, in words: types, plain values and tensors."""
    theirs, ours = flatten(expected), flatten(found)
    if theirs.nest != ours.nest:
        names = [set(one.paths) for one in (theirs, ours)]
        yield f"it is nested otherwise, {sorted(names[0] ^ names[1])[:3] or 'by types or values'}"
        return
    dtypes = {str(x.dtype).removeprefix("torch.") for x in theirs.leaves if torch.is_tensor(x)}
    bounds = bounds_for(dtypes)
    for path, a, b in zip(theirs.paths, theirs.leaves, ours.leaves, strict=True):
        error, is_within = compare(a, b, bounds=bounds)
        if not is_within:
            said = f"by {error:.2g}" if torch.is_tensor(a) else f"{b!r:.40} for {a!r:.40}"
            yield f"{path or 'it'} differs, {said}"


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    answer(lambda request: answer_each(request, {"compile": compile, "reload": reload}))
