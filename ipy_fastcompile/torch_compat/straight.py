"""function + call -> what it does with tensors in a straight line, as Dynamo reads its bytecode.

torch._dynamo.convert_frame.fullgraph_capture, which `torch.compile` is made of; seen on 2.13.
"""

from __future__ import annotations

import contextlib
import logging
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from . import guards, retrace, symbolic
from .guards import Evaluation
from .module_tables import MARKS_OF_TORCH_COMPILE


@dataclass(frozen=True)
class Straight:
    """What Dynamo made of a function: code that fetches tensors, a graph of them, and code after.

    ``graph`` is called with ``inputs``, which are fake here; ``evaluations`` are what Dynamo asked
    about their sizes. ``run`` is the whole function, given what stands for the graph. It says
    nothing; ``prints`` is whether the function does.
    """

    graph: torch.fx.GraphModule
    inputs: tuple[Any, ...]
    evaluations: tuple[Evaluation, ...]
    run: Callable[[Callable[..., Any]], Callable[..., Any]]
    prints: bool


def straighten(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    dynamic: Sequence[tuple[torch.Tensor, Iterable[int]]],
    marked: Iterable[torch.Tensor],
) -> Straight | None:
    """Read the bytecode of a call, without running it; None where it computes with no tensor.

    ``dynamic`` are the dimensions of tensors that may vary. ``marked`` are the tensors that Dynamo
    may leave its notes on, which are taken off. Raises what `torch.compile` does with
    ``fullgraph=True``, and ImportError where this torch has no such way in.
    """
    import torch._dynamo
    import torch.fx.experimental._config
    from torch._dynamo.convert_frame import fullgraph_capture
    from torch._dynamo.utils import get_metrics_context

    # In globals of its own: Dynamo adds to those of the function that it reads first.
    entry = types.FunctionType(
        _entry.__code__, {"__builtins__": __builtins__, "function": function}
    )
    seen: list[Evaluation] = []
    tensors = [*marked, *(tensor for tensor, _ in dynamic)]
    with (
        _without_traces(tensors),
        torch._dynamo.config.patch(_AS_EXPORT),
        torch.fx.experimental._config.patch(use_duck_shape=False),  # equal sizes may part
        get_metrics_context(),
        _exporting(),
        guards.watched_sizes(seen.append),
        _noticed_prints() as said,
    ):
        for tensor, dims in dynamic:
            for dim in dims:
                torch._dynamo.decorators.mark_dynamic(tensor, dim)
        output: Any = fullgraph_capture(entry, tuple(args), dict(kwargs))
    made = output.backend_input
    if made is None:
        return None

    def run(call: Callable[..., Any]) -> Callable[..., Any]:
        whole: Callable[..., Any] = output.forward_callable(
            compiled_fn=call, extra_globals=entry.__globals__
        )
        return whole

    placeholders = (n for n in made.graph_module.graph.nodes if n.op == "placeholder")
    inputs = tuple(node.meta["example_value"] for node in placeholders)
    return Straight(made.graph_module, inputs, tuple(seen), run, bool(said))


def _entry(*args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)  # noqa: F821 - in its globals


# What strict export reads with, but for side effects: these are done again by the code after.
_AS_EXPORT = {
    "assume_static_by_default": True,
    "automatic_dynamic_shapes": False,
    "capture_dynamic_output_shape_ops": True,
    "capture_scalar_outputs": True,
    "trace_autograd_ops": True,
    "ignore_logging_functions": {
        print,
        warnings.warn,
        *(vars(logging.Logger)[level] for level in ("debug", "info", "warning", "error")),
    },
}


@contextlib.contextmanager
def _noticed_prints() -> Iterator[list[None]]:
    """A list that gets an entry for every ``print`` that Dynamo reads, and leaves out."""
    from torch._dynamo.variables.misc import IgnoredFunctionVariable

    ignored: Any = IgnoredFunctionVariable
    original = ignored.call_function
    said: list[None] = []

    def call_function(self: Any, *args: Any) -> Any:
        if self.value is print:
            said.append(None)
        return original(self, *args)

    ignored.call_function = call_function
    try:
        yield said
    finally:
        ignored.call_function = original


def _exporting() -> Any:
    """What `torch.compiler.is_exporting` says meanwhile is what it says in `torch.export`."""
    from torch._export import utils

    return utils._compiling_state_context()


@contextlib.contextmanager
def _without_traces(tensors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Let nothing of a reading stay: marks on tensors, and what Dynamo counts."""
    from torch._dynamo.utils import counters

    counted = {name: counter.copy() for name, counter in counters.items()}
    before = [MARKS_OF_TORCH_COMPILE & vars(tensor).keys() for tensor in tensors]
    try:
        yield
    finally:
        counters.clear()
        counters.update(counted)
        for tensor, kept in zip(tensors, before, strict=True):
            for mark in MARKS_OF_TORCH_COMPILE - kept:
                vars(tensor).pop(mark, None)


def runner(straight: Straight, seen: Callable[[Evaluation], None]) -> Callable[..., Any]:
    """The function itself, for `torch.export` to run.

    It asks of the sizes of what it is given all that Dynamo asked; ``seen`` is told of each
    question and of its answer.
    """

    def call(*inputs: Any) -> Any:
        if straight.prints:
            print(end="")  # noqa: T201 - for whoever watches what a call does
        _ask_again(straight, inputs, seen)
        return interpret(straight.graph, *inputs)

    return straight.run(call)


def interpret(graph: torch.fx.GraphModule, *inputs: Any) -> Any:
    """Run a graph node by node, so that what traces it learns the user's line of each."""
    with torch.fx.traceback.preserve_node_meta():
        return torch.fx.Interpreter(graph).run(*inputs)


def retraced(straight: Straight) -> Straight:
    """The same, of the ops below transforms of functions, gradients and tensors of tensors."""
    run = torch.fx.Interpreter(straight.graph).run
    return replace(straight, graph=retrace.retrace(run, straight.inputs, is_whole=True))


def name_modules(straight: Straight, paths: Mapping[int, str]) -> None:
    """Let nodes name the module that they come from as the model does; ``paths`` are by its id.

    Dynamo's names begin where it began to read; its keys are the ids of modules.
    """
    for inner in straight.graph.modules():
        for node in inner.graph.nodes if isinstance(inner, torch.fx.GraphModule) else ():
            stack = node.meta.get("nn_module_stack")
            if stack:
                node.meta["nn_module_stack"] = {
                    key: (paths.get(_number(key), path), kind)
                    for key, (path, kind) in stack.items()
                }


def _number(key: str) -> int:
    digits = key.partition("@")[0]
    return int(digits) if digits.isdigit() else 0


def _ask_again(
    straight: Straight, inputs: Sequence[Any], seen: Callable[[Evaluation], None]
) -> None:
    """Ask of the sizes of these inputs all that Dynamo asked of those that it read with."""
    sizes: dict[Any, Any] = {}
    environment: Any = None
    for theirs, ours in zip(straight.inputs, inputs, strict=True):
        for old, new in _sizes(theirs, ours):
            if symbolic.is_symbolic_int(new):
                environment = new.node.shape_env
            if not symbolic.is_symbolic_int(old):
                if not bool(old == new):  # which makes it a guard: it is a number of the graph
                    raise ValueError(f"a size is {new}, and Dynamo read {old}")
                continue
            # What it was before Dynamo learned of it: a size that it fixed is asked for again.
            symbol = symbolic.first_expression(old)
            if getattr(symbol, "is_Symbol", False):
                is_size = symbolic.is_symbolic_int(new)
                sizes[symbol] = symbolic.symbolic_expression(new) if is_size else int(new)
    if environment is None:
        return
    for evaluation in straight.evaluations:
        expression = evaluation.expression
        free = getattr(expression, "free_symbols", ())
        if not set(free) <= sizes.keys():
            continue
        asked = expression.xreplace(sizes) if free else expression
        before = len(environment.guards)
        answer = evaluation.answer
        if evaluation.guard is not None:
            answer = environment.evaluate_expr(asked)
        guard = environment.guards[before].expr if len(environment.guards) > before else None
        seen(Evaluation(environment, asked, answer, evaluation.relied_on, guard, evaluation.frames))


def _sizes(theirs: Any, ours: Any) -> list[tuple[Any, Any]]:
    if isinstance(theirs, torch.Tensor):
        return list(zip(theirs.shape, ours.shape, strict=True))
    return [(theirs, ours)] if isinstance(theirs, (int, torch.SymInt)) else []
