"""captured graph -> the least sizes that it is right for.

Sizes 0 and 1 are left out of a trace: a dynamic size counts as two or more, and ``n == 1`` is
answered by no without a guard. A graph is right for them, too, where no answer that was relied on
would have been another one, and where its ops, run on tensors without values at that size, have the
shapes that the graph has for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...records import Source
from ...torch_compat import export, fake, guards, symbolic, trees
from .size_book import SizeBook, user_line

Ranges = Mapping[Any, tuple[int, int | None]]

# Where the least size comes from, in words.
_ASKED = "as asked"
_NEEDED = "the model needs it"
_ASKS = "torch.export makes 0 and 1 constants, and the model asks about {}"
_SHAPES = "torch.export makes 0 and 1 constants, and at {} an op has another shape"


@dataclass(frozen=True)
class Least:
    """The least size that a graph is right for, why no less, and the line that decides it."""

    size: int
    why: str = ""
    source: Source | None = None


def least_sizes(
    program: torch.export.ExportedProgram,
    book: SizeBook,
    ranges: Ranges,
    asked: Ranges,
    examples: Mapping[Any, int],
) -> dict[Any, Least]:
    """Symbol -> the least size that was asked for and that the graph is right for.

    ``asked`` are the ranges that the user wrote; ``ranges`` what torch left of them.
    """
    if not ranges:
        return {}
    environment = guards.shape_environment(program.graph_module)
    least: dict[Any, Least] = {}
    for symbol, (low, _) in ranges.items():
        traced = symbolic.symbol_range(environment, symbol) or (2, None)
        size = max(low, traced[0])
        least[symbol] = Least(size)
        if size == asked[symbol][0]:
            least[symbol] = Least(size, _ASKED)
        elif size > 2:
            least[symbol] = Least(size, _NEEDED, book.who_needs(environment, symbol, size))
    for size in (1, 0):
        tried = {s for s, (low, _) in ranges.items() if low <= size and least[s].size == size + 1}
        if size == 0 and book.asked_constants(environment):
            break  # sympy answers `n == 0` by itself, for its symbols are positive
        other = _other_answers(environment, book, tried, ranges, size)
        graph = program.graph_module
        small = {s for s in tried - other.keys() if _same_shapes(graph, {**examples, s: size})}
        if len(small) > 1 and not _same_shapes(graph, {**examples, **dict.fromkeys(small, size)}):
            small = set()
        for symbol in tried - small:
            why = _ASKS if symbol in other else _SHAPES
            least[symbol] = Least(size + 1, why.format(size), other.get(symbol))
        least |= {symbol: Least(size) for symbol in small}
    return least


def _other_answers(
    environment: Any, book: SizeBook, small: set[Any], ranges: Ranges, size: int
) -> dict[Any, Source | None]:
    """The symbols of which this size would have been traced another way, and the line that asks."""
    recorded = {
        symbolic.replaced_sizes(environment, g) for g in guards.recorded_guards(environment)
    }
    left, other = set(small), dict[Any, "Source | None"]()
    changed = bool(left)
    while changed:
        changed = False
        relaxed = {s: (size, ranges[s][1]) for s in left}
        for evaluation in book.relied_on(environment):
            expression = symbolic.replaced_sizes(environment, evaluation.expression)
            about = expression.free_symbols & left
            if not about or evaluation.guard is not None or expression in recorded:
                continue  # a guard is a condition, which a small size must meet as any other
            if guards.known_answer(environment, expression, relaxed) != evaluation.answer:
                left -= about
                other |= dict.fromkeys(about, user_line(evaluation.frames))
                changed = True
                break
    return other


def _same_shapes(graph_module: torch.fx.GraphModule, sizes: Mapping[Any, int]) -> bool:
    """Whether the ops of a graph yield the shapes that it says they have at these sizes."""
    with fake.fake_tensors():
        inputs = [
            _at(node.meta.get("val"), sizes)
            for node in graph_module.graph.nodes
            if node.op == "placeholder"
        ]
        try:
            with export.without_log_of_failure():
                _Comparison(graph_module, sizes).run(*inputs)
        except Exception:  # noqa: BLE001 - an op that refuses the size may raise anything
            return False
    return True


class _Comparison(torch.fx.Interpreter):
    """Runs a graph and stops at the first value whose shape is another than the graph's."""

    def __init__(self, graph_module: torch.fx.GraphModule, sizes: Mapping[Any, int]) -> None:
        super().__init__(graph_module)
        self._sizes = sizes

    def run_node(self, n: torch.fx.Node) -> Any:
        found = super().run_node(n)
        if n.op == "call_function":
            for one, other in zip(_leaves(found), _leaves(n.meta.get("val")), strict=True):
                if isinstance(one, torch.Tensor) and not self._agree(one.shape, other.shape):
                    raise ValueError(f"{n.name} is {tuple(one.shape)}")
        return found

    def _agree(self, found: Sequence[Any], expected: Sequence[Any]) -> bool:
        return len(found) == len(expected) and all(
            _number(size, self._sizes) in (None, n) for n, size in zip(found, expected, strict=True)
        )


def _leaves(value: Any) -> list[Any]:
    return trees.flatten_tree(value)[0]


def _number(size: Any, sizes: Mapping[Any, int]) -> int | None:
    """A size as a number; None where it is only known while running."""
    if not symbolic.is_symbolic_int(size):
        return int(size)
    expression = symbolic.symbolic_expression(size).subs(sizes)
    return int(expression) if expression.is_number else None


def _at(value: Any, sizes: Mapping[Any, int]) -> Any:
    if not isinstance(value, torch.Tensor):
        return _number(value, sizes) if symbolic.is_symbolic_int(value) else value
    # The sizes of inputs are all known; what is not is left to torch to refuse.
    shape: list[Any] = [_number(n, sizes) for n in value.shape]
    if value.layout is not torch.strided:
        return torch.empty(shape, dtype=value.dtype, device=value.device, layout=value.layout)
    strides: list[Any] = [_number(n, sizes) for n in value.stride()]
    return torch.empty_strided(shape, strides, dtype=value.dtype, device=value.device)
