"""model -> `Calls`: the model runs as it is, and every call of it is noted."""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ...errors import CallError
from ...runtime.wrappers import unwrapped
from ...torch_compat import module_calls, surroundings
from .calls import Calls
from .inside import Inside, watched_inside
from .kinds import Kind
from .module import as_module, defaults_of, model_name
from .notes import Notes
from .preflight import check_kind


@contextlib.contextmanager
def record(model: Callable[..., Any], *, dynamic: str | None = None) -> Iterator[Calls]:
    """Note every call of ``model`` that is made in the block, which runs as it is.

    Calls of one kind, in the same containers with the same dtypes, devices, ranks and other
    values, are one entry. A dimension that took several sizes may vary in what is compiled of it;
    dimensions that had the same size in every call share a name. What varied may be fixed in a
    part of the calls, beyond a window for instance: those become a program of their own. A
    dimension that was only seen at 1 stays 1; with ``dynamic="auto"`` a batch of 1 is tried with
    an example of 2.

    Calls that raise are left out, and so are those that the model makes of itself, as they are
    part of the outer one. Arguments are held as examples, one for each kind, without a copy but
    where the call writes to them.

    Parameters
    ----------
    model:
        A module, such as a part of a pipeline, or a method of an object. Calls are noted where
        they go through ``model(...)``, as those of ``generate`` do; ``model.forward(...)`` is none.
    dynamic:
        ``"auto"``: whatever can vary may, also what was seen with one size, and sizes beyond those
        that were seen are compiled, too, where the model does another thing for them. The first
        dimensions of tensors are one batch where they agreed in every call. Default: what varied.

    Yields
    ------
    Calls
        The kinds of calls up to now; ``compile(model, calls=calls)`` makes one artifact of them.

    Raises
    ------
    CallError, CaptureError
        For what is neither a module nor a method, and for what no call can be compiled of.

    Examples
    --------
    ::

        with fc.record(model, dynamic="auto") as calls:
            model.generate(input_ids, max_new_tokens=32)
        print(calls)
    """
    if dynamic not in (None, "auto"):
        raise CallError(
            f"dynamic is {dynamic!r:.60}, and record takes only 'auto'.",
            "What varies is seen as the calls are made; leave it out, or pass 'auto'.",
        )
    model = unwrapped(model)
    notes = notes_for(model)
    made: list[list[Kind]] = []

    def read() -> list[Kind]:
        return made[0] if made else notes.kinds(auto=dynamic == "auto")

    inside: list[Inside] = []
    calls = Calls(model_name(model), read, inside)
    with watched(model, notes), watched_inside(model) as found:
        inside += found
        try:
            yield calls
        finally:
            made.append(read())
            notes.close()


def notes_for(model: Any) -> Notes:
    """Notes of what a callable is called with. Raises CaptureError for what is no model."""
    check_kind(model)
    module = as_module(model)
    return Notes(inspect.signature(module.forward), defaults_of(module))


def watched(model: Any, notes: Notes) -> contextlib.AbstractContextManager[None]:
    """While this lasts, calls of a module, or of a method, are noted.

    Raises CallError for anything else, whose calls nobody sees from outside.
    """
    if isinstance(model, torch.nn.Module) and not module_calls.has_own_call(model):
        return module_calls.call_watched(model, notes.call)
    if isinstance(model, types.MethodType) and hasattr(model.__self__, "__dict__"):
        return _method_watched(model, notes)
    raise CallError(
        f"{model_name(model)} is no module and no method of an object, so that its calls cannot be "
        "seen from outside.",
        "Record the module that it calls.",
    )


@contextlib.contextmanager
def _method_watched(method: types.MethodType, notes: Notes) -> Iterator[None]:
    """While this lasts, the object has an attribute in place of its method."""
    held, name = vars(method.__self__), method.__name__

    @functools.wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        return notes.call(method, *args, **kwargs)

    before = held.get(name)
    held[name] = watched
    try:
        yield
    finally:
        if held.get(name) is watched:
            del held[name]
            if before is not None:
                held[name] = before


surroundings.hide_from_dynamo(Notes.call, "it notes calls of tensors that are there")
