"""Callables -> how long a call of each takes, in alternation; and three rivals at a real width."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from ipy_fastcompile.children.answer import answer, error_text
from tests.benchmarks.families import Spec, build


def steady(
    calls: Mapping[str, Callable[[], Any]], *, seconds: float, most: int = 200
) -> dict[str, float]:
    """The median time of each call, in seconds; they alternate, each first in its turn.

    ``seconds`` bounds the time of all; every callable runs three times at least, after one call
    that does not count.
    """
    names = list(calls)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        calls[name]()
    wait()
    begin = perf_counter()
    while len(taken[names[-1]]) < most:
        if len(taken[names[-1]]) >= 3 and perf_counter() - begin > seconds:
            break
        names = [*names[1:], names[0]]
        for name in names:
            started = perf_counter()
            calls[name]()
            wait()
            taken[name].append(perf_counter() - started)
    return {name: statistics.median(values) for name, values in taken.items()}


def wait() -> None:
    """Until the GPU, where there is one, has done what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def compare_calls(request: dict[str, Any]) -> dict[str, Any]:
    """Steady calls of our paths, of `torch.compile` of the whole model, and of eager.

    All in one process, on the same weights and inputs. A rival that fails is an entry of
    ``errors``; the others are measured all the same.
    """
    import torch

    import ipy_fastcompile as fc

    case = build(Spec(**request["spec"]))
    calls: dict[str, Callable[[], Any]] = {"eager": lambda: case.model(**case.kwargs)}
    errors: dict[str, str] = {}
    with torch.no_grad():
        for via in ("native", "torch"):
            calls[via] = _bound(fc.load(request["path"], case.model, via=via), case.kwargs)
        try:
            compiled: Any = torch.compile(case.model, fullgraph=True)
            compiled(**case.kwargs)
            calls["torch.compile"] = _bound(compiled, case.kwargs)
        except Exception as error:  # noqa: BLE001 - recorded in the table
            errors["torch.compile"] = error_text(error)
        expected = calls["eager"]().logits
        worst = {
            name: float((call().logits - expected).abs().max()) for name, call in calls.items()
        }
        medians = steady(calls, seconds=request["seconds"])
    return {"calls": medians, "errors": errors, "max_error": worst}


def _bound(function: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[[], Any]:
    return lambda: function(**kwargs)


if __name__ == "__main__":
    answer(compare_calls)
