"""a graph that Dynamo hands to a backend -> where it comes from, and what else could run it.

torch._dynamo.output_graph, torch._dynamo.convert_frame, torch._guards; seen on 2.13.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

# What runs a graph: its placeholders' values -> a sequence of its outputs.
Runner = Callable[..., Any]


@dataclass(frozen=True)
class Origin:
    """Where a graph comes from.

    ``frame`` is Dynamo's number of the Python function that it read, and ``recompile`` how often it
    had read that before; ``function`` is the function's name. The graph ends at a line of a
    ``file``, for a ``reason``: because of a break, or as the function returns. ``recompiled_for``
    says which guard made Dynamo read it again.
    """

    frame: int | None
    recompile: int
    function: str
    file: str
    line: int
    is_break: bool
    reason: str
    recompiled_for: str


def origin_of(graph_module: torch.fx.GraphModule) -> Origin:
    """Where a graph comes from; to be asked while Dynamo waits for the backend."""
    from torch._dynamo.utils import get_metrics_context
    from torch._guards import CompileContext

    compile_id: Any = CompileContext.current_compile_id()
    ended: Any = getattr(graph_module, "compile_subgraph_reason", None)
    stack: Sequence[Any] = ended.user_stack if ended is not None else ()
    code = _code_that_is_read()
    known: Mapping[str, Any] = getattr(get_metrics_context(), "_metrics", {})
    return Origin(
        frame=getattr(compile_id, "frame_id", None),
        recompile=getattr(compile_id, "frame_compile_id", None) or 0,
        function=code.co_name if code is not None else "",
        file=stack[-1].filename if stack else code.co_filename if code is not None else "",
        line=(stack[-1].lineno or 0) if stack else 0,
        is_break=bool(ended is not None and ended.graph_break),
        reason=ended.reason if ended is not None else "",
        recompiled_for=str(known.get("recompile_reason") or ""),
    )


def _code_that_is_read() -> types.CodeType | None:
    """The code whose graph the backend is given: Dynamo, which waits for it, knows it alone."""
    from torch._dynamo.output_graph import OutputGraph

    frame = inspect.currentframe()
    while frame is not None:
        output: Any = frame.f_locals.get("self")
        if isinstance(output, OutputGraph):
            code: types.CodeType = output.root_tx.f_code
            return code
        frame = frame.f_back
    return None


def eager_runner(graph_module: torch.fx.GraphModule) -> Runner:
    """The graph as eager would run it, whatever a compiler makes of the graph afterwards."""
    forward: Any = type(graph_module).forward
    return functools.partial(forward, graph_module)


def inductor_runner(
    graph_module: torch.fx.GraphModule, inputs: Sequence[Any], options: Mapping[str, Any]
) -> Runner:
    """What ``backend="inductor"`` makes of the graph; raises what that raises."""
    from torch._inductor.compile_fx import compile_fx

    made: Any = compile_fx(graph_module, list(inputs), config_patches=dict(options))
    runner: Runner = made
    return runner


def leaves_gradients_switched(graph_module: torch.fx.GraphModule) -> bool:
    """Whether autograd is on or off for whoever calls the graph, once it has run."""
    switches = [n for n in graph_module.graph.nodes if n.target is torch._C._set_grad_enabled]
    return bool(switches) and switches[-1].args[0] is not torch.is_grad_enabled()


def is_restart(error: BaseException) -> bool:
    """Whether an error is none, but asks Dynamo to read the frame again or to leave it."""
    from torch._dynamo.exc import RestartAnalysis, ShortenTraceback, SkipFrame

    return isinstance(error, (RestartAnalysis, ShortenTraceback, SkipFrame))


@contextlib.contextmanager
def out_of_compile() -> Iterator[None]:
    """Let a trace in the block know nothing of the one that waits for it: it has its own sizes."""
    from torch._guards import CompileContext, compile_context, tracing

    with tracing(None), compile_context(CompileContext(None)):
        yield


def shorten_module_paths(graph_module: torch.fx.GraphModule) -> None:
    """Let nodes name the module that they come from without the variable that holds the model.

    Dynamo writes ``L['self'].layers.0``.
    """
    for node in graph_module.graph.nodes:
        stack = node.meta.get("nn_module_stack")
        if stack:
            node.meta["nn_module_stack"] = {
                key: (_VARIABLE.sub("", path), kind) for key, (path, kind) in stack.items()
            }


_VARIABLE = re.compile(r"^[LG]\['\w+'\]\.?")


def mode_options(mode: str) -> dict[str, Any]:
    """What a ``mode`` of `torch.compile` sets in Inductor's configuration; raises for others."""
    from torch._inductor import list_mode_options

    found: dict[str, Any] = list_mode_options(mode)
    return found


def inductor_configured(options: Mapping[str, Any]) -> contextlib.AbstractContextManager[Any]:
    """Inductor's configuration with these options, while the block lasts."""
    if not options:
        return contextlib.nullcontext()
    import torch._inductor.config

    patched: contextlib.AbstractContextManager[Any] = torch._inductor.config.patch(dict(options))
    return patched
