"""model + call -> Captured: one ATen graph; parameters, buffers and constants are inputs by name.

The graph comes from `torch.export.export(strict=False)`, where need be by way of Dynamo; its
training IR keeps in-place updates as they are, so a submodule that mutates an input mutates the
caller's tensor.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import torch

from ...errors import CaptureError, warn_user
from ...torch_compat import module_calls, surroundings
from ..graph.randomness import (
    check_draws,
    check_host_numbers,
    check_seeds,
    describe_draws,
    draws_of,
)
from ..sizes.dynamic import AskedSizes, asked_of
from .another_way import by_any_way
from .asked import asked_call
from .asked_for_real import with_answers_of_a_call
from .attributes import note_on
from .captured import Captured
from .containers import PlainCall
from .effects import Watch
from .export import export_program
from .later import check_later_calls
from .layouts import check_layout_reads, describe_layout_reads
from .module import as_module, bind_call, model_name
from .preflight import check_devices, check_gradients, check_kind, check_mode, check_statistics
from .questions import describe_questions
from .read_program import read_program
from .real import check_arguments, check_surroundings
from .stand_in import under_autocast, with_named_keywords
from .straight import StraightForward, straight_forwards


def capture(
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic: Mapping[str, Any] | str | None = None,
    loose: Set[str] = frozenset(),
) -> Captured:
    """Capture the call ``model(*args, **kwargs)`` as one graph.

    ``loose`` are names in ``dynamic`` that nobody asked for, so that the model may fix them.

    Raises `CallError` when ``model`` cannot be called with these arguments, and `CaptureError`,
    naming the user's source line, when `torch.export` cannot make one graph of it.
    """
    check_surroundings()
    args, kwargs = asked_call(args, kwargs)
    check_kind(model)
    module = as_module(model)
    hooks, is_training = module_calls.hooks_of(module), module.training
    try:
        with module_calls.without_compiled_parts(module):
            captured = _captured(model, module, args, kwargs, dynamic, loose)
    except CaptureError as error:
        if not _makes_calls(model):
            raise
        raise CaptureError(error.what, _RECORD, **error.facts) from error
    return replace(
        captured,
        hooks=hooks,
        training=is_training,
        autocast=surroundings.described_autocasts(),
    )


# What to do about a method that calls its own model, as generate does.
_RECORD = (
    "If it calls its own model, compile those calls: `%%fastcompile -m model` in a cell, or "
    "`fc.record(model)`, records all of them."
)


def _makes_calls(model: Callable[..., Any]) -> bool:
    """Whether it is a method of a module that is not what a call of the module runs."""
    is_method = isinstance(model, types.MethodType) and isinstance(model.__self__, torch.nn.Module)
    return is_method and model.__name__ != "forward"


def _captured(
    model: Callable[..., Any],
    module: torch.nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic: Mapping[str, Any] | str | None,
    loose: Set[str],
) -> Captured:
    watch = Watch(model_name(model), model, (args, kwargs))
    check_mode(module, training=watch.is_training)
    module = under_autocast(module)
    bound = bind_call(module, args, kwargs)
    call = PlainCall(module, args, kwargs)
    check_devices(module, args, kwargs)
    check_gradients(call.paths, call.leaves)
    if dynamic:
        module = with_named_keywords(module, kwargs)
        bound = bind_call(module, args, kwargs)
    check_arguments(call.paths, call.leaves)
    asked = asked_of(module, bound, dynamic, loose) if dynamic else AskedSizes()

    def attempt(forward: StraightForward | None) -> tuple[Captured, Sequence[str]]:
        with surroundings.without_autocast():
            found = export_program(module, call, asked, watch, forward)
        if forward is not None:
            found = with_answers_of_a_call(found, model, args, kwargs, call.paths)
        check_statistics(found.program.graph_module)
        check_layout_reads(found.layouts, call.by_path(), call.closed)
        draws = draws_of(found.program.graph_module)
        check_draws(draws, training=watch.is_training)
        check_seeds(draws, watch.own, is_seeded=watch.is_seeded)
        check_host_numbers(
            watch.moved,
            found.program,
            lambda: export_program(module, call, found.asked, watch, forward).program,
        )
        captured = read_program(found, model, module, args, kwargs, call)
        return captured, describe_draws(draws)

    (captured, drawn), way = by_any_way(
        attempt,
        lambda: straight_forwards(module, call, asked.shapes, watch.spared),
        model_name(model),
    )
    kept = (*watch.left_behind(), *_written_constants(captured))
    later = check_later_calls(captured, model, module, args, kwargs, kept) if kept else ""
    effects = (*kept, *watch.left_out())
    read = (*note_on(call.attributes), *describe_layout_reads(captured.layouts))
    read = (*read, *describe_questions(captured.questions))
    warned = _warn_of(effects, captured.model_name, later)
    return replace(captured, notes=(*warned, *drawn, *read, *way))


def _warn_of(effects: Sequence[str], name: str, later: str) -> tuple[str, ...]:
    """Say what a compiled call will not do; the same for the report."""
    if not effects:
        return ()
    shown = ", ".join(effects[:4]) + (f" and {len(effects) - 4} more" if len(effects) > 4 else "")
    said = f"A compiled call of {name} leaves out what it does besides its result: {shown}"
    said += f"; {later}." if later else "."
    warn_user(said)
    return (said,)


def _written_constants(captured: Captured) -> tuple[str, ...]:
    """Tensors that the graph writes to and that no model holds: those of closures, attributes."""
    return tuple(
        f"what it writes to the tensor {p.name}"
        for p in captured.parameters
        if p.kind == "constant" and p.placeholder in captured.memory.written
    )
