"""captured + model -> whether later calls are eager's as well, or a CaptureError.

A graph is one call. Where a call of the model leaves something behind that no compiled call does, a
counter, a cache, a flag, the next one may compute something else. What reads it cannot be told from
outside; so the model is called for real, several times in a row, and the graph beside it, op by op.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from ...errors import CaptureError
from ...runtime.nests import flatten
from ...torch_compat import surroundings
from ...verification.check import cloned, leaves_of
from ...verification.tolerance import Bounds, bounds_for, compare
from .unharmed import keep, put_back, silent, unspent

CALLS = 3
_SAME = f"the results of {CALLS} calls in a row are eager's even so"
_UNKNOWN = "the results of later calls may differ from eager's"


def check_later_calls(
    captured: Any,
    model: Callable[..., Any],
    module: torch.nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    effects: Sequence[str],
) -> str:
    """What is known of the calls after the first one, in words.

    Raises CaptureError when the second or third call of the model gives another result than the
    graph of the first one does, or none; ``effects`` are what it may read.
    """
    kept = keep(model, is_writing=bool(captured.memory.written))
    expected: list[list[Any]] = []
    found: list[list[Any]] = []
    try:
        with silent(), torch.no_grad():
            values = _values(captured, module)
            with unspent(kept):
                expected.extend(_results(lambda a, k: leaves_of(model(*a, **k))[0], args, kwargs))
            put_back(kept)
            with surroundings.without_autocast():
                found += _results(lambda a, k: _run(captured, values, a, k), args, kwargs)
    except Exception as error:
        if 0 < len(expected) < CALLS:
            raised = f"give a result where eager raises {type(error).__name__}"
            raise _depends(captured, effects, len(expected) + 1, raised) from error
        return _UNKNOWN  # whatever a model raises: nothing can be told of it
    finally:
        put_back(kept)
    bounds = bounds_for(_dtypes(captured))
    if not expected or not found or _difference(expected[0], found[0], bounds):
        return _UNKNOWN
    for number, (theirs, ours) in enumerate(zip(expected, found, strict=True), 1):
        where = _difference(theirs, ours, bounds)
        if where:
            raise _depends(captured, effects, number, f"differ from eager's in {where}")
    return _SAME


def _depends(captured: Any, effects: Sequence[str], number: int, would: str) -> CaptureError:
    """The refusal of a model of which this call is another one than its first."""
    return CaptureError(
        f"The result of a call of {captured.model_name} depends on what earlier calls left "
        f"behind: {', '.join(effects[:4])}. Call {number} of the compiled function would {would}.",
        "Keep it in a buffer that is updated in place (self.steps.add_(1), "
        "self.cache[...] = new), or take it as an argument and return what is new.",
        call=number,
    )


def _results(
    call: Callable[[tuple[Any, ...], dict[str, Any]], Sequence[Any]],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Iterator[list[Any]]:
    """The leaves of several results in a row, each of a call with the same arguments."""
    for _ in range(CALLS):
        leaves = call(cloned(tuple(args)), cloned(dict(kwargs)))
        yield [v.clone() if isinstance(v, torch.Tensor) else v for v in leaves]


def _values(captured: Any, module: torch.nn.Module) -> list[Any]:
    """The tensors of the model that the graph takes, the model's own ones but for constants."""
    held: dict[str, Any] = dict(module.named_parameters(remove_duplicate=False))
    held |= dict(module.named_buffers(remove_duplicate=False))
    constants = {name: value.clone() for name, value in captured.constants.items()}
    return [(constants if p.name in constants else held)[p.name] for p in captured.parameters]


def _run(captured: Any, values: Sequence[Any], args: Any, kwargs: Any) -> Sequence[Any]:
    leaves: list[Any] = []
    for value in (*args, *kwargs.values()):
        leaves += flatten(value).leaves
    results: Sequence[Any] = captured.graph_module(*values, *leaves)
    return results


def _difference(expected: Sequence[Any], found: Sequence[Any], bounds: Bounds) -> str:
    """The first output that differs, "" when none does."""
    if len(expected) != len(found):
        return f"how many tensors it returns, {len(expected)} instead of {len(found)}"
    for position, (theirs, ours) in enumerate(zip(expected, found, strict=True)):
        error, within = compare(theirs, ours, bounds=bounds)
        if not within:
            size = f", by {error:.2g}" if error < float("inf") else ""
            return f"output {position}{size}"
    return ""


def _dtypes(captured: Any) -> set[str]:
    values = (node.meta.get("val") for node in captured.graph_module.graph.nodes)
    return {str(value.dtype)[6:] for value in values if isinstance(value, torch.Tensor)}
