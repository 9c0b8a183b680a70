"""Captured -> the source of ``check_inputs``: what a call must be, and the sizes it has.

See `ipy_fastcompile.runtime.checks` for what each check does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy
import torch
from torch.fx import Node

from ...errors import CodegenError
from ...records import Source, Symbol
from ...torch_compat import ops, symbolic
from ..calls.captured import Captured, InputSpec
from ..sizes.conditions import Condition
from ..sizes.expressions import size_text, solve_linear
from ..sizes.phrases import phrase
from .literals import write_string, write_tuple, write_value
from .names import Namespace
from .sources import clean, place


class InputChecks:
    """Writes the checks of one captured call.

    ``arguments`` are the names of the inputs, ``sizes`` those of the symbolic sizes: what
    ``check_inputs`` returns, and what ``forward`` takes.
    """

    def __init__(
        self, captured: Captured, names: Namespace, conditions: Sequence[Condition]
    ) -> None:
        nodes = {n.name: n for n in captured.graph_module.graph.nodes if n.op == "placeholder"}
        self._captured = captured
        self._conditions = conditions
        self._inputs = [(spec, nodes[spec.placeholder]) for spec in captured.inputs]
        self._words = {
            symbol: names.name(("size", name), name) for symbol, name in captured.names.items()
        }
        self._symbols = {s.name: s for s in captured.symbols}
        self.sizes = [names.name(("size", s.name), s.name) for s in captured.symbols]
        self.arguments = [names.name(("value", n.name), n.name) for _, n in self._inputs]

    @property
    def words(self) -> Mapping[Any, str]:
        """The name of every symbol in the text."""
        return self._words

    def lines(self) -> Iterator[str]:
        """The statements, in order."""
        later: list[str] = []
        self._solved: set[Any] = set()
        self._places: dict[Any, str] = {}
        self._direct: set[Any] = set()  # those that are a dimension themselves
        for (spec, node), argument in zip(self._inputs, self.arguments, strict=True):
            value = node.meta.get("val")
            path = write_string(spec.path)
            if spec.constant or not (isinstance(value, torch.Tensor) or symbolic.varies(value)):
                expected = write_value(spec.value, _no_node, f"Argument {spec.path}")
                yield f"check.constant({path}, {argument}, {expected})"
                continue
            sizes: list[tuple[int | None, str, Any]] = [(None, argument, value)]
            if isinstance(value, torch.Tensor):
                yield from self._tensor(path, argument, value)
                sizes = [(dim, f"{argument}.size({dim})", n) for dim, n in enumerate(value.shape)]
            else:
                yield f"check.number({path}, {argument})"
            for dim, found, size in sizes:
                lines = list(self._size(path, dim, found, size))
                if lines[0].startswith("later "):
                    later.append(lines[0].removeprefix("later "))
                else:
                    yield from lines
        yield from later
        for condition in self._conditions:
            yield self._condition(condition)
        yield from self._layouts()
        yield f"return {write_tuple([*self.arguments, *self.sizes])}"

    def _tensor(self, path: str, argument: str, value: torch.Tensor) -> Iterator[str]:
        layout = "" if value.layout is torch.strided else f", {value.layout}"
        device = f"torch.device({write_string(str(value.device))})"
        yield f"check.tensor({path}, {argument}, {value.dtype}, {device}, {value.dim()}{layout})"

    def _size(self, path: str, dim: int | None, found: str, size: Any) -> Iterator[str]:
        """The checks of one size, which ``found`` is the text of; ``dim`` is None of a number."""
        if not symbolic.is_symbolic_int(size):
            yield f"check.size({path}, {dim}, {found}, {int(size)})"
            return
        expression = symbolic.symbolic_expression(size)
        linear = solve_linear(expression)
        if linear is None or linear[0] in self._solved or linear[0] not in self._words:
            # It follows from other sizes, which may only be known after all inputs were seen.
            text = size_text(expression, self._words)
            shown = "" if expression.is_Integer else f", {write_string(text)}"
            yield f"later check.size({path}, {dim}, {found}, {text}{shown})"
            return
        symbol, factor, offset = linear
        self._solved.add(symbol)
        text = size_text(expression, self._words)
        self._places[symbol] = f"({path}, {dim}, {write_string(text)}, {text})"
        word, known = self._words[symbol], self._symbols[self._captured.names[symbol]]
        if (factor, offset) == (1, 0):
            self._direct.add(symbol)
            yield f"{word} = {found}"
        else:
            solved = f"{path}, {dim}, {found}, {factor}, {offset}, {write_string(word)}"
            yield f"{word} = check.solve({solved})"
        name = write_string(known.name)
        low, high = self._range(symbol, known)
        yield f"check.range({path}, {dim}, {name}, {word}, {low}, {high})"

    def _range(self, symbol: Any, known: Symbol) -> tuple[int, int | None]:
        """The range of a size without the ends that a condition sets, which knows the line."""
        low, high = known.min, known.max
        for condition in self._conditions:
            if condition.source is not None:
                low = 0 if condition.expression == sympy.Ge(symbol, low) else low
                high = None if condition.expression == sympy.Le(symbol, high or 0) else high
        return low, high

    def _condition(self, condition: Condition) -> str:
        """A check of a condition on sizes, with the dimensions that they were read from."""
        holds = size_text(condition.expression, self._words)
        said = phrase(condition, self._words)
        ordered = [s for s in self._places if s in condition.symbols]
        sizes = write_tuple(self._places[symbol] for symbol in ordered)
        direct = all(symbol in self._direct for symbol in ordered)
        refusal = said.refusal if direct else said.indirect
        texts = f"{write_string(refusal + _cited(condition.source))}, {write_string(said.words)}"
        return f"check.condition({holds}, {texts}, {sizes})"

    def _layouts(self) -> Iterator[str]:
        mutates = any(ops.is_mutating(n.target) for n in self._captured.graph_module.graph.nodes)
        strided: list[tuple[str, str]] = []
        for (spec, node), argument in zip(self._inputs, self.arguments, strict=True):
            value = node.meta.get("val")
            if spec.constant or not isinstance(value, torch.Tensor):
                continue
            if value.layout is not torch.strided:
                continue
            path = write_string(spec.path)
            strided.append((path, argument))
            strides = write_tuple(self._number(n, spec) for n in value.stride())
            read = self._captured.layouts.get(spec.path)
            if read is not None:
                how = f"{read.strict}, {read.offset}, {write_string(_cited(read.source))}"
                yield f"check.laid_out({path}, {argument}, {strides}, {how})"
            yield f"{argument} = check.layout({path}, {argument}, {strides}, {mutates})"
        changed = self._captured.memory.written
        written = [
            write_string(spec.path) for spec, _ in self._inputs if spec.placeholder in changed
        ]
        if written and len(strided) > 1:
            paths = write_tuple(path for path, _ in strided)
            tensors = write_tuple(argument for _, argument in strided)
            yield f"check.separate({paths}, {tensors}, {write_tuple(written)})"

    def _number(self, number: Any, spec: InputSpec) -> str:
        if not symbolic.is_symbolic_int(number):
            return str(int(number))
        try:
            return size_text(symbolic.symbolic_expression(number), self._words)
        except CodegenError as error:
            raise CodegenError(f"Argument {spec.path}: {error.what}", error.hint) from error


def _no_node(node: Node) -> str:
    raise CodegenError(f"An argument refers to node {node.name}.", "Report this model.")


def _cited(source: Source | None) -> str:
    return "" if source is None else f" ({place(source)}: {clean(source.text)})"
