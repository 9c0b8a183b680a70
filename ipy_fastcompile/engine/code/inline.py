"""plain FX graph -> a Python function: submodules that run uncompiled, the splitting ops above all.

The idea is vLLM's `generate_execution_code_with_name` (vllm-project/vllm#40151): written as
functions in the same text, these submodules need nothing of the graph to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...records import Source
from ...torch_compat import ops
from .calls import cannot_write, op_name, where, write_call
from .literals import Constants, write_value
from .names import Namespace
from .sources import comment, read_source
from .wrap import deletions, wrap

_INDENT = "    "


@dataclass(frozen=True)
class BodyLine:
    """A line of a generated function, and the node of the graph that it computes, if it does."""

    text: str
    node: str = ""
    source: Source | None = None
    kind: str = "other"  # "inline" | "rest" | "other"


@dataclass(frozen=True)
class Inlined:
    """A graph as a function. ``constants``: the slots it takes as its last arguments."""

    name: str
    lines: tuple[BodyLine, ...]
    constants: tuple[int, ...]

    def call(self, arguments: Sequence[str], constants: Sequence[str]) -> str:
        """The source of a call."""
        return f"{self.name}({', '.join([*arguments, *constants])})"


class Functions:
    """The functions of one text: a graph that occurs twice is written once."""

    def __init__(self) -> None:
        self.constants = Constants()
        self.ops: set[str] = set()
        self.written: list[Inlined] = []
        self._by_key: dict[str, Inlined] = {}

    def of(self, graph_module: GraphModule, key: str) -> Inlined:
        """The function of a graph; graphs of equal ``key`` share it."""
        if key not in self._by_key:
            body = _Body(graph_module, self)
            lines = body.lines()  # writes the functions it calls first, which take their numbers
            name = f"inlined_{len(self.written)}"
            head = _body_lines(f"def {name}({', '.join(body.arguments())}):")
            self._by_key[key] = Inlined(name, (*head, *lines), tuple(body.slots))
            self.written.append(self._by_key[key])
        return self._by_key[key]


def generate_execution_code_with_name(graph_module: GraphModule, name: str) -> str:
    """A plain FX graph as the source of functions, of which the last one is called ``name``.

    It takes the graph's inputs, then the tensors that the graph holds as attributes, in order of
    first use. Raises `CodegenError` naming the node that cannot be written.
    """
    functions = Functions()
    last = functions.of(graph_module, name)
    texts = ["\n".join(line.text for line in f.lines) for f in functions.written]
    texts[-1] = texts[-1].replace(f"def {last.name}(", f"def {name}(", 1)
    return "\n\n\n".join(texts) + "\n"


def last_uses(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """Node -> the values whose last use it is; what the output uses is never last used before."""
    last: dict[Node, Node] = {}
    for node in nodes:
        for needed in node.all_input_nodes:
            last[needed] = node
    uses: dict[Node, list[Node]] = {}
    for value, user in last.items():
        if user.op != "output":
            uses.setdefault(user, []).append(value)
    return uses


def attribute_of(graph_module: torch.nn.Module, node: Node) -> Any:
    """What a ``get_attr`` node reads, ``a.b`` through its owners."""
    value: Any = graph_module
    for part in str(node.target).split("."):
        if not hasattr(value, part):
            raise cannot_write(node, f"reads {node.target}, which the graph does not have")
        value = getattr(value, part)
    return value


class _Body:
    """Writes the body of one function."""

    def __init__(self, graph_module: GraphModule, functions: Functions) -> None:
        self.slots: list[int] = []
        self._graph_module = graph_module
        self._functions = functions
        self._names = Namespace()
        self._nodes = list(graph_module.graph.nodes)
        self._inputs = [self._name(n) for n in self._nodes if n.op == "placeholder"]
        self._last = last_uses(self._nodes)

    def arguments(self) -> list[str]:
        return [*self._inputs, *map(self._slot_name, self.slots)]

    def lines(self) -> list[BodyLine]:
        found: list[BodyLine] = []
        for node in self._nodes:
            if node.op in ("placeholder", "get_attr"):
                continue
            if node.op == "output":
                result = self._write(node.args[0], "The output")
                found += _body_lines(f"{_INDENT}return {result}")
                break
            source = read_source(node.meta.get("stack_trace"))
            for position, text in enumerate(self._statements(node)):
                note = "" if position else comment([source])
                kind = "other" if text.endswith(":") else "inline"
                found += _body_lines(f"{_INDENT}{text}", note, node.name, source, kind)
            gone = [self._name(n) for n in self._last.get(node, ()) if n.op == "call_function"]
            if not node.users and self._names.get(node):
                gone.append(self._name(node))
            for names in deletions(gone, len(_INDENT)):
                found.append(BodyLine(f"{_INDENT}del {', '.join(names)}", kind="inline"))
        return found

    def _name(self, node: Node) -> str:
        return self._names.name(node, node.name)

    def _slot_name(self, slot: int) -> str:
        return self._names.own(("constant", slot), f"constant_{slot}")

    def _constant(self, tensor: torch.Tensor) -> str:
        return self._use(self._functions.constants.add(tensor))

    def _use(self, slot: int) -> str:
        if slot not in self.slots:
            self.slots.append(slot)
        return self._slot_name(slot)

    def _name_of(self, node: Node) -> str:
        if node.op != "get_attr":
            return self._name(node)
        value = attribute_of(self._graph_module, node)
        if isinstance(value, torch.Tensor):
            return self._constant(value)
        raise cannot_write(node, f"reads {node.target}, a {type(value).__name__}")

    def _write(self, value: Any, place: str) -> str:
        return write_value(value, self._name_of, place, self._constant)

    # --- statements ------------------------------------------------------------------------------

    def _statements(self, node: Node) -> list[str]:
        if ops.is_higher_order(node.target):
            return self._higher_order(node)
        op = op_name(node.target)
        if op is not None:
            self._functions.ops.add(op)
        text = write_call(node, lambda v: self._write(v, f"An argument of {_lower(where(node))}"))
        # An unused call stands alone; an unused item or sum needs a name, for it is no statement.
        return [text if op is not None and not node.users else f"{self._name(node)} = {text}"]

    def _call(self, graph: Any, arguments: Sequence[str], node: Node) -> str:
        """A call of a graph that an op takes as an argument."""
        if not isinstance(graph, Node) or graph.op != "get_attr":
            raise cannot_write(node, f"calls {graph}, which is no graph")
        inner = attribute_of(self._graph_module, graph)
        if not isinstance(inner, GraphModule):
            raise cannot_write(node, f"calls {graph.target}, a {type(inner).__name__}")
        function = self._functions.of(inner, f"graph {id(inner)}")
        return function.call(arguments, [self._use(slot) for slot in function.constants])

    def _higher_order(self, node: Node) -> list[str]:
        """Ops that take graphs: each becomes a function, and the op Python's own statement."""
        name = str(getattr(node.target, "_name", node.target))
        place = f"An argument of {_lower(where(node))}"
        known: Sequence[Any] = node.args
        if node.kwargs or name not in _HIGHER_ORDER:
            listed = ", ".join(_HIGHER_ORDER)
            raise cannot_write(node, f"calls the higher-order op {name} (known are {listed})")
        result = self._name(node)

        def texts(values: Any) -> list[str]:
            return [self._write(v, place) for v in values]

        if name == "cond":
            test, yes, no, operands = known
            passed = texts(operands)
            taken, other = self._call(yes, passed, node), self._call(no, passed, node)
            return [f"{result} = {taken} if {self._write(test, place)} else {other}"]
        if name == "while_loop":
            test, body, carried, extra = known
            passed = [f"*{result}", *texts(extra)]
            return [
                f"{result} = {self._write(tuple(carried), place)}",
                f"while {self._call(test, passed, node)}:",
                f"{_INDENT}{result} = {self._call(body, passed, node)}",
            ]
        if name == "wrap_with_set_grad_enabled":  # execution code is for inference, see `load`
            return [f"{result} = {self._call(known[1], texts(known[2:]), node)}"]
        device, dtype, enabled, cached = texts(known[:4])
        options = f"{device}, dtype={dtype}, enabled={enabled}, cache_enabled={cached}"
        return [
            f"with torch.autocast({options}):",
            f"{_INDENT}{result} = {self._call(known[4], texts(known[5:]), node)}",
        ]


def _body_lines(
    statement: str,
    note: str = "",
    node: str = "",
    source: Source | None = None,
    kind: str = "other",
) -> list[BodyLine]:
    """A statement, on as many lines as it takes."""
    texts = wrap(statement, note)
    return [BodyLine(text, node, source, "rest" if n else kind) for n, text in enumerate(texts)]


_HIGHER_ORDER = ("cond", "while_loop", "wrap_with_set_grad_enabled", "wrap_with_autocast")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
