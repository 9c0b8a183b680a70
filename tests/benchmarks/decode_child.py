"""request (JSON argument) + a way's functions -> its decode step, cold or loaded, timed, as JSON.

See `tests.benchmarks.decode_scripts` for the functions.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.benchmarks.calls import wait
from tests.benchmarks.families import Case, Spec, build
from tests.benchmarks.flat import grow, tensors
from tests.benchmarks.peer_child import answer_request, with_saved_weights

Step = Callable[[Any, Any], Any]
_STEPS, _SECONDS = 50, 4.0


def serve(way: Mapping[str, Any]) -> None:
    """Answer the request of this process."""
    answer_request(functools.partial(_answer, way))


def _answer(way: Mapping[str, Any], request: Mapping[str, Any], answer: dict[str, Any]) -> None:
    import torch

    torch.set_grad_enabled(False)
    folder = Path(request["folder"])
    case = with_saved_weights(build(Spec(**request["spec"])), folder.parent / "weights.pt")
    started = perf_counter()
    for name in way["IMPORTS"]:
        import_module(name)
    answer["imports"] = perf_counter() - started
    past = filled(case.model, request["past"])
    case = dataclasses.replace(case, kwargs={"input_ids": torch.ones(1, 1).long()})
    case.kwargs["past_key_values"] = example = copied(past)
    way.get("prepare", lambda _: None)(example)

    started = perf_counter()
    word = "compile" if request["cold"] else "load"
    answer["doing"] = word
    step: Step = way["cold" if request["cold"] else "load"](case, folder)
    answer[word] = answer["imports"] + perf_counter() - started
    answer["doing"] = "first step"
    started = perf_counter()
    step(case.kwargs["input_ids"], example)
    wait()
    answer["first_call"] = perf_counter() - started
    if request["cold"]:
        return
    answer["doing"] = "check against eager"
    answer["max_error"] = max(
        _difference(case, step, filled(case.model, n)) for n in (request["past"], 7)
    )
    answer["doing"] = "steady step"
    answer |= _steady(case, step, past)


def filled(model: Any, length: int) -> Any:
    """The cache that eager has after so many tokens."""
    import torch

    return model(input_ids=torch.arange(length).reshape(1, length) * 7 % 256).past_key_values


def copied(cache: Any) -> Any:
    """Another cache that holds copies of the same tensors."""
    from transformers import DynamicCache

    copy = DynamicCache()
    for index, layer in enumerate(cache.layers):
        copy.update(layer.keys.clone(), layer.values.clone(), index)
    return copy


def _difference(case: Case, step: Step, past: Any) -> float:
    """The largest one from eager after three steps, in logits and in the cache."""
    import torch

    ours, theirs, worst = copied(past), copied(past), 0.0
    for token in (3, 5, 8):
        ids = torch.tensor([[token]])
        logits = case.model(input_ids=ids, past_key_values=theirs).logits
        pairs = [(step(ids, ours), logits), *zip(tensors(ours), tensors(theirs), strict=True)]
        worst = max(worst, *(float((a - b).abs().max()) for a, b in pairs))
    return worst


def _steady(case: Case, step: Step, past: Any) -> dict[str, float]:
    """The median time of a step and of eager's, in turn, each with a cache of the same length."""
    ids, held = case.kwargs["input_ids"], tensors(past)
    cache = copied(past)
    steps: dict[str, Callable[[], Any]] = {
        "call": lambda: step(ids, cache),
        "eager": lambda: case.model(input_ids=ids, past_key_values=cache),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    begin = perf_counter()
    while len(taken["eager"]) < _STEPS and (
        len(taken["eager"]) < 3 or perf_counter() - begin < _SECONDS
    ):
        for name, run in steps.items():
            grow(cache, held)
            started = perf_counter()
            run()
            wait()
            taken[name].append(perf_counter() - started)
    return {name: statistics.median(values) for name, values in taken.items()}
