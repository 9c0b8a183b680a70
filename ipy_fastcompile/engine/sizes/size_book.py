"""what a capture asked about sizes -> the conditions of its graph, with the user's lines."""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy
import torch

from ...records import Source
from ...torch_compat import guards, symbolic
from ...torch_compat.guards import Evaluation
from .conditions import Condition, reduce_conditions
from .proofs import linear_bound

_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


class SizeBook:
    """Notes every question about sizes while a model is traced; read once the graph is there.

    ``stating`` is the line of the model for whose sake we ask something ourselves.
    """

    def __init__(self) -> None:
        self.evaluations: dict[tuple[int, Any], Evaluation] = {}
        self._sources: dict[Any, Source | None] = {}
        self._constants: set[int] = set()
        self.first: dict[tuple[str, int | None], Any] = {}
        self.stating: Source | None = None

    def begin(self, leaves: Mapping[str, Any]) -> None:
        """Note the symbolic sizes of a call, each at its place, before the model has run."""
        self.first = {}
        for path, leaf in leaves.items():
            if isinstance(leaf, torch.Tensor):
                self.first |= {(path, dim): size for dim, size in enumerate(leaf.shape)}
            else:
                self.first[path, None] = leaf

    def note(self, evaluation: Evaluation) -> None:
        """What `guards.watched_sizes` calls."""
        if evaluation.guard is not None:
            source = user_line(evaluation.frames) or self.stating
            self._sources.setdefault(evaluation.guard, source)
        if evaluation.relied_on and not getattr(evaluation.expression, "free_symbols", ()):
            if getattr(evaluation.expression, "is_Boolean", False):
                self._constants.add(id(evaluation.environment))
        elif evaluation.relied_on:
            key = (id(evaluation.environment), evaluation.expression)
            self.evaluations.setdefault(key, evaluation)

    def relied_on(self, environment: Any) -> list[Evaluation]:
        """The distinct questions about the sizes of one capture whose answer made the graph."""
        return [e for e in self.evaluations.values() if e.environment is environment]

    def asked_constants(self, environment: Any) -> bool:
        """Whether the model asked what is true or false for all sizes of at least 1."""
        return id(environment) in self._constants

    def source(self, guard: Any) -> Source | None:
        """The user's line that a guard comes from."""
        return self._sources.get(guard)

    def conditions(
        self,
        graph_module: torch.fx.GraphModule,
        limits: Mapping[Any, tuple[int, int | None]],
        declared: Sequence[Any] = (),
    ) -> tuple[Condition, ...]:
        """What the graph takes for granted about the sizes of the inputs.

        ``limits`` are the ranges that need no condition: what the model's own lines leave of them
        is one, with these lines. ``declared`` is what the user said of sizes and no trace knows.
        """
        environment = guards.shape_environment(graph_module)
        if environment is None:
            return ()
        found = [
            *(
                Condition(symbolic.replaced_sizes(environment, guard), self.source(guard))
                for guard in guards.recorded_guards(environment)
            ),
            *(Condition(asserted) for asserted in asserted_sizes(graph_module)),
            *map(Condition, declared),
        ]
        return reduce_conditions([c for c in found if c.symbols <= set(limits)], limits)

    def who_fixed(self, place: tuple[str, int | None], size: int) -> Source | None:
        """The user's line that fixed what is at this place to this size, as far as it is known."""
        first = self.first.get(place)
        known = {symbolic.first_expression(first)} if symbolic.is_symbolic_int(first) else set()
        lines = []
        for guard, source in self._sources.items():
            if isinstance(guard, sympy.Eq) and guard.free_symbols & known:
                known |= guard.free_symbols
                lines.append(source)
        if not known:  # it was not seen as it was: any line that said this number
            equal = (g for g in self._sources if isinstance(g, sympy.Eq))
            lines = [self._sources[g] for g in equal if sympy.Integer(size) in g.args]
        return next((source for source in reversed(lines) if source), None)

    def decides(self, place: tuple[str, int | None], graph_module: torch.fx.GraphModule) -> bool:
        """Whether the graph takes anything for granted of what was at this place.

        That it is another size, the same everywhere, says nothing about it.
        """
        size = self.first.get(place)
        if not symbolic.varies(size):
            return True
        symbol = symbolic.first_expression(size)
        about = [g for g in recorded_of(graph_module) if symbol in g.free_symbols]
        found = [g for g in about if not _is_of_symbols(g)]
        ranges: Any = {each: (2, None) for guard in found for each in guard.free_symbols}
        return bool(reduce_conditions([Condition(guard) for guard in found], ranges))

    def who_needs(self, environment: Any, symbol: Any, least: int) -> Source | None:
        """The user's line that needs a size to be at least this, as far as it is known."""
        for guard, source in self._sources.items():
            replaced = symbolic.replaced_sizes(environment, guard)
            if getattr(replaced, "free_symbols", set()) == {symbol}:
                if (linear_bound(replaced) or (None,))[0] == least:
                    return source
        return None

    def who_merged(self, symbol: Any) -> Source | None:
        """The user's line that needs another size to be equal to this one."""
        for guard, source in self._sources.items():
            if isinstance(guard, sympy.Eq) and symbol in guard.args and source:
                return source
        return None


def _is_of_symbols(guard: Any) -> bool:
    """Whether all that it says is that two sizes are equal."""
    return isinstance(guard, sympy.Eq) and all(side.is_Symbol for side in guard.args)


def recorded_of(graph_module: torch.fx.GraphModule) -> frozenset[Any]:
    """The guards that torch holds of a graph's sizes by now, as it wrote them."""
    environment = guards.shape_environment(graph_module)
    return frozenset(guards.recorded_guards(environment) if environment else ())


def asserted_sizes(graph_module: torch.fx.GraphModule) -> Iterator[Any]:
    """The conditions that the graph's own assertions are about."""
    for node in graph_module.graph.nodes:
        yield from assertions_of(node)


_ASSERTION = "aten._assert_scalar.default"
_RANGES = (
    torch.ops.aten.sym_constrain_range.default,
    torch.ops.aten.sym_constrain_range_for_size.default,
)


def assertions_of(node: torch.fx.Node) -> list[Any]:
    """What one node of a graph asserts about sizes, as sympy's conditions."""
    if not node.args or not isinstance(node.args[0], torch.fx.Node):
        return []
    value = node.args[0].meta.get("val")
    if str(node.target) == _ASSERTION and symbolic.is_symbolic_int(value):
        return [symbolic.symbolic_expression(value)]
    if node.target in _RANGES and symbolic.is_symbolic_int(value):
        size = symbolic.symbolic_expression(value)
        low, high = node.kwargs.get("min"), node.kwargs.get("max")
        found = [sympy.Ge(size, low)] if isinstance(low, int) else []
        return [*found, sympy.Le(size, high)] if isinstance(high, int) else found
    return []


def user_line(frames: Sequence[tuple[str, int, str]]) -> Source | None:
    """The innermost line that is neither Python's own nor sympy's."""
    for file, line, function in frames:
        is_cell = file.startswith("<ipython")
        own = file.startswith(_STANDARD_LIBRARY) and "site-packages" not in file
        if own or "/sympy/" in file or (file.startswith("<") and not is_cell):
            continue
        return Source(file, line, function, linecache.getline(file, line).strip())
    return None
