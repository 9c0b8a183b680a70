"""compiled + model + call -> how far the result is from eager's, in numbers and in words.

Both run under one seed, on copies of the arguments, and the model is put back after each. What is
beyond the tolerance of the least precise dtype that the model computes in is a difference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..artifact.inert import inert
from ..artifact.schema import read_program, read_programs
from ..engine.calls.asked_kinds import Asked, Kind, asked_kinds
from ..engine.calls.unharmed import Kept, keep, put_back, silent, unspent
from ..errors import DiffersFromEager, FastCompileError
from ..records import Report
from ..runtime.load import load_parts
from ..runtime.loaded import LoadedFunction
from ..runtime.parts import Parts, parts_of_program
from ..timings import EagerRecord
from ..torch_compat import module_calls
from .check import cloned, leaves_of
from .diagnose import diagnose
from .examples import examples_of
from .timed import time_beside_eager
from .tolerance import Bounds, bounds_for, compare

DRAWS = "Draws random numbers at every call"
_SECOND = "a second call"


@dataclass(frozen=True)
class Comparison:
    """The largest absolute difference from eager, the tolerance, and what is beyond it in words.

    ``error`` is None where none can be told: random numbers that are not eager's. ``note`` is what
    else should be known.
    """

    error: float | None
    tolerance: str
    difference: str = ""
    note: str = ""


def compared(
    compiled: Any,
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    calls: Sequence[Kind] | None = None,
) -> Report:
    """The report of ``compiled`` with what `compare_with_eager` finds.

    ``calls`` are in the place of one call where there are several programs: one for each.
    """
    kinds = asked_kinds(args, kwargs, None, calls)
    report: Report = compiled.report
    of_name = examples_of(kinds, read_programs(compiled.parts.manifest, compiled.parts.path))
    if not report.programs:
        return _compared(compiled, model, of_name.get("", kinds[0]))
    reports = tuple(
        _compared(
            _Alone(parts_of_program(compiled.parts, position), program),
            model,
            of_name[program.name],
        )
        if program.name in of_name
        else program
        for position, program in enumerate(report.programs)
    )
    errors = [program.max_error for program in reports if program.max_error is not None]
    wrong = next((program for program in reports if program.difference), None)
    return dataclasses.replace(
        report,
        max_error=max(errors, default=None),
        tolerance=", ".join(dict.fromkeys(program.tolerance for program in reports)),
        difference=f"{wrong.name}: {wrong.difference}" if wrong is not None else "",
        notes=reports[0].notes,
        eager=reports[0].eager,
        programs=reports,
    )


@dataclass(frozen=True)
class _Alone:
    """One of several programs, compared as if it were the only one."""

    parts: Parts
    report: Report


def _compared(compiled: Any, model: Callable[..., Any], kind: Asked) -> Report:
    report: Report = compiled.report
    with kind.surroundings():
        found = compare_with_eager(compiled, model, kind.args, kind.kwargs)
        eager = report.eager  # a cached one has it of the day when it was compiled
        if eager is None and not found.difference:
            eager = _time(compiled, model, kind)
    notes = (*report.notes, found.note) if found.note else report.notes
    return dataclasses.replace(
        report,
        max_error=found.error,
        tolerance=found.tolerance,
        difference=found.difference,
        notes=tuple(dict.fromkeys(notes)),
        eager=eager,
    )


def _time(compiled: Any, model: Callable[..., Any], kind: Asked) -> EagerRecord:
    """What the call takes, compiled and in eager."""
    program = read_program(compiled.parts.manifest, compiled.parts.path)
    kept = keep(model, is_writing=bool(program.written))
    with silent(), module_calls.watches_aside():
        function = _loaded(compiled, model)
        return time_beside_eager(function, model, kind.args, kind.kwargs or {}, kept)


def check_difference(report: Report) -> None:
    """Raise DiffersFromEager when the report has a difference."""
    if report.difference:
        raise DiffersFromEager(
            report.difference,
            "Change the model where it says, or compile without check to look at what came out.",
            error=report.max_error,
        )


def compare_with_eager(
    compiled: Any,
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Comparison:
    """Run eager and a newly loaded ``compiled`` on the same call, and compare all that they do.

    That is the result, what is written to arguments and to buffers, and the result of a second
    call.
    """
    kwargs = dict(kwargs or {})
    bounds = bounds_for(_dtypes(compiled.report))
    is_random = any(note.startswith(DRAWS) for note in compiled.report.notes)
    program = read_program(compiled.parts.manifest, compiled.parts.path)
    kept = keep(model, is_writing=bool(program.written))
    # What is installed in the model is not what it is compared with.
    with silent(), module_calls.watches_aside():
        # Random numbers of a second call depend on how many the first one drew.
        calls = 1 if is_random else 2
        eager = _run(lambda: model, model, args, kwargs, kept, calls)
        fast = _run(lambda: _loaded(compiled, model), model, args, kwargs, kept, calls)
    error, where = _first_difference(eager, fast, bounds)
    tolerance = str(bounds)
    if not where:
        note = "Random numbers: they are those of eager under the same seed." if is_random else ""
        return Comparison(error, tolerance, note=note)
    size = f" by {error:.2g}" if error < float("inf") else ""
    words = f"The compiled model differs from eager{size} in {where}; allowed is {tolerance}."
    if where.startswith(_SECOND):
        words += " A call reads what an earlier one left behind, and a compiled one leaves none."
    elif eager.outputs and fast.outputs:
        with silent():
            found = diagnose(
                compiled, model, args, kwargs, kept, eager.outputs, is_random=is_random
            )
        if found.is_harmless and size:
            return Comparison(None if is_random else error, tolerance, note=found.words)
        words += "" if found.is_harmless else f" {found.words}"
    return Comparison(error, tolerance, difference=inert(words))


@dataclass(frozen=True)
class _Outcome:
    """What a call did: leaves of the result, of the arguments after it, buffers, or its error."""

    outputs: list[Any]
    structure: Any
    rest: dict[str, Any]
    failure: str = ""


def _run(
    make: Callable[[], Callable[..., Any]],
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    kept: Kept,
    calls: int,
) -> _Outcome:
    again = [(tuple(args), dict(kwargs))] * (calls - 1)
    args, kwargs = cloned(tuple(args)), cloned(dict(kwargs))
    try:
        with torch.no_grad(), unspent(kept):
            function = make()
            result = function(*args, **kwargs)
            outputs, structure = leaves_of(result)
            outputs = [v.clone() if isinstance(v, torch.Tensor) else v for v in outputs]
            rest = {
                f"input {i} after the call": value
                for i, value in enumerate(leaves_of((args, kwargs))[0])
            }
            buffers = model.named_buffers() if isinstance(model, torch.nn.Module) else ()
            rest |= {f"buffer {name} after the call": b.clone() for name, b in buffers}
            for more, named in again:
                leaves, _ = leaves_of(function(*cloned(more), **cloned(named)))
                rest |= {f"{_SECOND}, output {i}": value for i, value in enumerate(leaves)}
    except FastCompileError as error:
        return _Outcome([], "", {}, f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a model raises is what is compared
        return _Outcome([], "", {}, f"{type(error).__name__}: {str(error)[:300]}")
    finally:
        put_back(kept)
    return _Outcome(outputs, structure, rest)


def _loaded(compiled: Any, model: Callable[..., Any]) -> LoadedFunction:
    """The callable anew: its constants are its own, and are as they were stored."""
    types = getattr(compiled.parts, "types", None)  # a compile of this process knows them
    return load_parts(compiled.parts, model, types=types)


def _first_difference(eager: _Outcome, fast: _Outcome, bounds: Bounds) -> tuple[float, str]:
    """The largest error, and where the first one beyond the bounds is; "" when there is none."""
    infinite = float("inf")
    if eager.failure or fast.failure:
        who, what = ("eager", eager.failure) if eager.failure else ("it", fast.failure)
        return infinite, f"that {who} raises {what}"
    if eager.structure != fast.structure or len(eager.outputs) != len(fast.outputs):
        return infinite, f"how its result is nested: {fast.structure}, in eager {eager.structure}"
    expected = {f"output {i}": value for i, value in enumerate(eager.outputs)} | eager.rest
    found = {f"output {i}": value for i, value in enumerate(fast.outputs)} | fast.rest
    worst, where = 0.0, ""
    for name, value in expected.items():
        error, within = compare(value, found.get(name), bounds=bounds)
        if not within and not where:
            where = f"{name}, {_describe(value)}"
            other = _describe(found.get(name))
            where += "" if other == _describe(value) else f" (it gives {other})"
        worst = max(worst, error)
    return worst, where


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype)[6:]}{list(value.shape)}"
    return f"{value!r:.40}"


def _dtypes(report: Report) -> set[str]:
    """Every dtype that something in the graphs, or an input, has."""
    nodes = (node.value for graph in report.graphs for node in graph.nodes)
    return {value.dtype for value in (*nodes, *report.inputs) if value is not None}
