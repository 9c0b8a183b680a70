"""graph of Dynamo's + example inputs -> what runs it: what ``torch.compile(backend=...)`` calls.

A graph for inference becomes a program, as every other graph does: captured, split, lowered and
kept in the cache, or loaded from there. What is no such graph runs as Inductor would run it, and
where there is no Inductor, as eager does; its report says why.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from ..cache.cached import CachedResult, cached_by_key
from ..cache.key.graph import make_graph_key
from ..engine.graph.boundaries import split_at_ops
from ..engine.kernels.lower import said
from ..errors import CacheMiss, CaptureError, FastCompileError
from ..interrupts import check_whole
from ..torch_compat import dynamo
from .asked import Options, asked_options
from .gradients import wants_gradients
from .graphs import note
from .guards import guard_sizes
from .serve import Server
from .wanted import Wanted, placeholders, wanted_call


def fastcompile(
    graph_module: torch.fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    mode: str | None = None,
    options: dict[str, Any] | None = None,
) -> dynamo.Runner:
    """What ``torch.compile(model, backend="fastcompile")`` calls for each graph; found by name.

    Parameters
    ----------
    graph_module, example_inputs:
        The graph, and what it is called with, as Dynamo hands them over.
    mode:
        None, or ``"max-autotune-no-cudagraphs"``.
    options:
        ``split_at`` as `ipy_fastcompile.compile` takes it; ``store``, a `Store` or a directory;
        ``force`` to compile what the cache has; ``assert_warm`` to raise instead of compiling.

    Returns
    -------
    A function of the graph's inputs. `ipy_fastcompile.graphs` tells what it runs.

    Raises
    ------
    CallError, SplitError
        An option is not taken, or not what it has to be; the message names it.
    CacheMiss
        With ``assert_warm``, for a graph that is not in the cache, or that none is kept of.
    """
    started = time.perf_counter()
    asked = asked_options(mode, options)
    origin = dynamo.origin_of(graph_module)
    dynamo.shorten_module_paths(graph_module)
    server = _serve(graph_module, example_inputs, origin.function or "graph", asked)
    note(origin, server, time.perf_counter() - started)
    return server


def _serve(
    graph_module: torch.fx.GraphModule, inputs: Sequence[Any], name: str, asked: Options
) -> Server:
    """What runs the graph: a program, else what Inductor makes of it, else eager."""
    eager = dynamo.eager_runner(graph_module)
    why = wants_gradients(graph_module)
    if not why:
        try:
            with torch.no_grad():
                found = _program(graph_module, inputs, name, asked)
            return Server("program", found.model.function, eager, report=found.model.report)
        except CacheMiss:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a trace or Inductor raises
            check_whole(error)
            why = error.what if isinstance(error, FastCompileError) else said(error)
    if asked.assert_warm:
        raise CacheMiss(f"cache miss: no program is made of a graph of {name}. {why}", _LEAVE_OUT)
    try:
        return Server(
            "inductor", dynamo.inductor_runner(graph_module, inputs, asked.inductor), eager, why=why
        )
    except Exception as error:
        check_whole(error)
        if dynamo.is_restart(error):
            raise
        return Server("eager", eager, eager, why=f"{why} Inductor: {said(error)}.")


_LEAVE_OUT = "Compile it, without assert_warm."


def _program(
    graph_module: torch.fx.GraphModule, inputs: Sequence[Any], name: str, asked: Options
) -> CachedResult:
    """The program of a graph, from the cache or new, with what it relies on as Dynamo's guards."""
    wanted = wanted_call(name, graph_module, inputs)
    known = [node.meta["example_value"] for node in placeholders(graph_module)]
    for exact in (False, True):  # one that was compiled of another size may not take this one
        found = _compiled(graph_module, wanted, name, asked, exact=exact)
        if found.model.report.difference:
            raise CaptureError(found.model.report.difference)
        if guard_sizes(found.model.function, known):
            return found
    raise CaptureError("The program does not take the sizes that it was compiled of.")


def _compiled(
    graph_module: torch.fx.GraphModule, wanted: Wanted, name: str, asked: Options, *, exact: bool
) -> CachedResult:
    names = (asked.split_at,) if isinstance(asked.split_at, str) else asked.split_at
    is_named = names is not None and not callable(names)  # and may be in another graph
    options = {
        "calls": [wanted.kind],
        "split_at": split_at_ops(names) if is_named else names,
    }
    with dynamo.out_of_compile(), dynamo.inductor_configured(asked.inductor):
        key = make_graph_key(
            name, graph_module, wanted.args,
            dynamic=wanted.dynamic, split_at=asked.split_at, exact=exact,
        )  # fmt: skip
        return cached_by_key(
            key, wanted.call, (), {}, options,
            store=asked.store, force=asked.force, assert_warm=asked.assert_warm,
        )  # fmt: skip
