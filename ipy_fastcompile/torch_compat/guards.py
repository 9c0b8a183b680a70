"""what a trace asks about sizes -> each question, its answer, and who asked.

torch.fx.experimental.symbolic_shapes.ShapeEnv; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from . import askers, symbolic


@dataclass(frozen=True)
class Evaluation:
    """A question about sizes that a capture asked, and its answer.

    ``relied_on`` is whether the other answer might have made another graph: questions that an op
    asks about its own result are none of these. Where the answer became
    a guard, ``guard`` is that. ``frames`` are the (file, line, function) it was asked from, the
    innermost first, without torch's and ours: of a guard, and of the first that asked what was
    relied on.
    """

    environment: Any
    expression: Any
    answer: Any
    relied_on: bool
    guard: Any = None
    frames: tuple[tuple[str, int, str], ...] = ()


def shape_environment(graph_module: torch.fx.GraphModule) -> Any:
    """What knows the symbolic sizes of a graph: a ShapeEnv; None where all are fixed."""
    for node in graph_module.graph.nodes:
        value = node.meta.get("val")
        for size in (*value.shape, value) if isinstance(value, torch.Tensor) else (value,):
            if symbolic.is_symbolic_int(size):
                return size.node.shape_env
    return None


@contextlib.contextmanager
def watched_sizes(seen: Callable[[Evaluation], None] | None = None) -> Iterator[None]:
    """Tell of every question about sizes that is asked meanwhile, those answered by ranges too.

    A question that may be answered either way (`guard_or_false` and the like) leaves no guard where
    its answer is the one that is right whatever the truth is.
    """
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    original = ShapeEnv.evaluate_expr
    asked: set[tuple[int, Any]] = set()

    def evaluate_expr(
        self: Any,
        orig_expr: Any,
        hint: Any = None,
        fx_node: Any = None,
        size_oblivious: bool = False,
        fallback_value: bool | None = None,
        **options: Any,
    ) -> Any:
        choice = _free_choice(self, orig_expr, fallback_value)
        if choice is not None:
            return choice
        before = len(self.guards)
        answer = original(self, orig_expr, hint, fx_node, size_oblivious, fallback_value, **options)
        if seen is not None and not isinstance(orig_expr, bool):
            # `guard_or_false` asks with a fallback, which is right whatever the truth is.
            relied_on = fallback_value is None or bool(answer) is not fallback_value
            relied_on = relied_on and not askers.is_op()
            guard: Any = None
            frames: tuple[tuple[str, int, str], ...] = ()
            if len(self.guards) > before:
                guard = self.guards[before].expr
            if guard is not None or (relied_on and (id(self), orig_expr) not in asked):
                asked.add((id(self), orig_expr))
                frames = tuple(askers.users_frames())
            seen(Evaluation(self, orig_expr, answer, relied_on, guard, frames))
        return answer

    ShapeEnv.evaluate_expr = evaluate_expr  # type: ignore[method-assign]
    try:
        yield
    finally:
        ShapeEnv.evaluate_expr = original  # type: ignore[method-assign]


_ONLY = "it would serve one size only,"


def only_size(error: BaseException) -> str:
    """The size that an error of `kept_dynamic` names, "" for other errors."""
    return str(error).partition(_ONLY)[2].partition("\n")[0].strip(" .")


@contextlib.contextmanager
def kept_dynamic() -> Iterator[None]:
    """Refuse to make a number of a symbolic size meanwhile, by the error for sizes unknown to it.

    Inductor does that where it wants to unroll a loop over a size, and the kernel then serves the
    example's size alone. Sizes that depend on data are left to it, as are those that are numbers
    already.
    """
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode, ShapeEnv
    from torch.utils._sympy.symbol import SymT, symbol_is_type

    original = ShapeEnv._set_replacement

    def _set_replacement(self: Any, a: Any, tgt: Any, msg: str) -> None:
        of_data = symbol_is_type(a, (SymT.UNBACKED_INT, SymT.UNBACKED_FLOAT))
        if tgt.is_number and a not in self.replacements and not of_data:
            # Of this kind, as nothing is logged of it, and some lowerings then do without.
            raise GuardOnDataDependentSymNode(a, f"{_ONLY} {tgt}")
        original(self, a, tgt, msg)

    ShapeEnv._set_replacement = _set_replacement  # type: ignore[method-assign]
    try:
        yield
    finally:
        ShapeEnv._set_replacement = original  # type: ignore[method-assign]


def _free_choice(environment: Any, expression: Any, fallback: bool | None) -> bool | None:
    """The answer to a question whose answer may be made up, where that needs no guard; else None.

    Such are those with a fallback, which is right for all sizes, when the example agrees with it;
    and which backend a convolution takes: each run decides that again, by its own sizes.
    """
    free = getattr(expression, "free_symbols", None)
    hints = getattr(environment, "backed_var_to_val", None)
    hints = environment.var_to_val if hints is None else hints  # 2.11 has only this
    if not free or not free <= hints.keys() or not symbolic.is_short(expression):
        return None  # a guard on a long expression is what keeps the next ones shorter
    if fallback is None and not askers.is_convolution():
        return None
    if environment._maybe_evaluate_static(expression) is not None:
        return None
    answer = environment.replace(expression).xreplace(hints)
    if str(answer) not in ("True", "False"):
        return None
    answer = str(answer) == "True"
    return answer if fallback is None or answer is fallback else None


def recorded_guards(environment: Any) -> list[Any]:
    """Every condition on sizes that a ShapeEnv holds: guards, and deferred runtime assertions."""
    deferred = environment.deferred_runtime_asserts.values()
    return [
        *(guard.expr for guard in environment.guards),
        *(asserted.expr for group in deferred for asserted in group),
    ]


def assertion_op() -> Any:
    """The op that raises its text where a number is 0 (seen on 2.11 and 2.13)."""
    return torch.ops.aten._assert_scalar.default


def asserted_of_data(environment: Any) -> list[Any]:
    """What is asserted, while a graph runs, of sizes that depend on values (seen on 2.13)."""
    return [a.expr for found in environment.deferred_runtime_asserts.values() for a in found]


def known_answer(
    environment: Any, expression: Any, ranges: Mapping[Any, tuple[int, int | None]]
) -> Any:
    """What a condition is for all sizes in these ranges and all that was recorded, else None."""
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges

    known = dict(environment.var_to_range)
    for symbol, (low, high) in ranges.items():
        known[symbol] = ValueRanges(low, int_oo if high is None else high)
    return environment._maybe_evaluate_static(expression, var_to_range=tuple(known.items()))
