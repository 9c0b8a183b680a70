"""request (JSON argument) + a peer's functions -> one cold run, or one load, timed, as JSON.

See `tests.benchmarks.peer_scripts` for the functions.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from ipy_fastcompile.children.answer import error_text
from tests.benchmarks.calls import steady, wait
from tests.benchmarks.families import Case, Spec, build

Call = Callable[[Any], Any]


def serve(peer: Mapping[str, Any]) -> None:
    """Answer the request of this process."""
    answer_request(functools.partial(_answer, peer))


def answer_request(measure: Callable[[Mapping[str, Any], dict[str, Any]], None]) -> None:
    """Write what ``measure`` puts into the answer to the request of this process.

    What fails is an ``error`` beside what was measured.
    """
    request = json.loads(sys.argv[1])
    answer: dict[str, Any] = {}
    try:
        measure(request, answer)
    except Exception as error:  # noqa: BLE001 - recorded in the table, whatever it is
        answer["error"] = f"{answer.get('doing', 'start')}: {error_text(error)}"
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _answer(peer: Mapping[str, Any], request: Mapping[str, Any], answer: dict[str, Any]) -> None:
    import torch

    torch.set_grad_enabled(False)
    folder = Path(request["folder"])
    case = with_saved_weights(build(Spec(**request["spec"])), folder.parent / "weights.pt")
    started = perf_counter()
    for name in peer["IMPORTS"]:
        import_module(name)
    answer["imports"] = perf_counter() - started
    torch.zeros(1).add_(1)  # what making a model has done in any process
    ids, other = case.kwargs["input_ids"], case.other["input_ids"]
    for tensor in (ids, other):
        peer.get("prepare", lambda _: None)(tensor)

    started = perf_counter()
    word = "compile" if request["cold"] else "load"
    answer["doing"] = word
    function: Call = peer["cold" if request["cold"] else "load"](case, folder)
    answer[word] = answer["imports"] + perf_counter() - started
    answer["doing"] = "first call"
    answer["first_call"], output = _timed(function, ids)
    if request["cold"]:
        if "save" in peer:
            answer["doing"] = "save"
            started = perf_counter()
            peer["save"](folder)
            answer["save"] = perf_counter() - started
        return
    answer["doing"] = "call of another length"
    answer["other_call"], other_output = _timed(function, other)
    answer["doing"] = "steady call"
    answer["call"] = steady({"call": lambda: function(ids)}, seconds=1.0, most=50)["call"]
    answer["doing"] = "check against eager"
    answer["max_error"] = max(
        float((_logits(found) - case.model(input_ids=x).logits).abs().max())
        for found, x in ((output, ids), (other_output, other))
    )


def _timed(function: Call, ids: Any) -> tuple[float, Any]:
    started = perf_counter()
    output = function(ids)
    wait()
    return perf_counter() - started, output


def _logits(output: Any) -> Any:
    return output.logits if hasattr(output, "logits") else output[0]


def with_saved_weights(case: Case, weights: Path) -> Case:
    """The case with the weights of the file, which the first process that needs them writes."""
    import torch

    if not weights.exists():
        torch.save(case.model.state_dict(), weights)
    case.model.load_state_dict(torch.load(weights, weights_only=True))
    return case
