"""Lowered -> ``bind`` and, inside it, ``forward``: a call per submodule, a ``del`` per last use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch.fx import Node

from ...errors import CodegenError
from ...records import Source
from ...torch_compat import symbolic
from ..graph.split import Submodule
from ..kernels.lowered import Lowered
from .calls import where, write_call
from .inline import Functions, Inlined, attribute_of, last_uses
from .input_checks import InputChecks
from .literals import write_value
from .names import Namespace
from .sources import clean, comment, read_source
from .wrap import deletions
from .writer import Writer


class Forward:
    """Writes them with the names and constants that the rest of the text has."""

    def __init__(
        self,
        writer: Writer,
        lowered: Lowered,
        names: Namespace,
        functions: Functions,
        checks: InputChecks,
        inlined: Mapping[int, Inlined],
    ) -> None:
        self.writer = writer
        self.lowered = lowered
        self.names = names
        self.functions = functions
        self.checks = checks
        self.inlined = inlined
        self.nodes = list(lowered.split.graph_module.graph.nodes)
        self.submodules = {s.name: s for s in lowered.split.submodules}
        # Copies are in the order of the originals, and may have had to take other names.
        captured = lowered.split.captured.graph_module.graph.nodes
        inputs = [n for n in self.nodes if n.op == "placeholder"]
        originals = [n.name for n in captured if n.op == "placeholder"]
        self.captured_name = dict(zip(inputs, originals, strict=True))
        self.last = last_uses(self.nodes)

    def _name_of(self, node: Node) -> str:
        if node.op == "get_attr":
            value = attribute_of(self.lowered.split.graph_module, node)
            if isinstance(value, torch.Tensor):
                return self._constant(value)
        return self.names.name(("value", self.captured_name.get(node, node.name)), node.name)

    def _constant(self, tensor: torch.Tensor) -> str:
        return self._slot_name(self.functions.constants.add(tensor))

    def _slot_name(self, slot: int) -> str:
        return self.names.own(("constant", slot), f"constant_{slot}")

    def value_names(self) -> dict[str, str]:
        """Value of the stitching graph -> its name in the text."""
        keys = ((n.name, self.captured_name.get(n, n.name)) for n in self.nodes)
        found = ((name, self.names.get(("value", key))) for name, key in keys)
        return {name: word for name, word in found if word is not None}

    # --- bind ------------------------------------------------------------------------------------

    def write_bind(self) -> None:
        """Write the whole function."""
        by_name = {name: node for node, name in self.captured_name.items()}
        used = [
            by_name[p.placeholder]
            for p in self.lowered.split.captured.parameters
            if by_name[p.placeholder].users
        ]
        parameters = [self._name_of(n) for n in used]
        body = Writer()
        outer, self.writer = self.writer, body
        self._write_forward()  # first, for it says which constants there are
        self.writer = outer
        outer.add("def bind(kernels, parameters, constants):")
        outer.put('    """Return forward(), with kernels, parameters and constants by index."""')
        kernels = [f"kernel_{kernel.index}" for kernel in self.lowered.kernels]
        constants = [self._slot_name(i) for i in range(len(self.functions.constants.tensors))]
        if kernels:
            outer.add(f"    {_targets(kernels)} = kernels")
        if parameters:
            outer.add(f"    {_targets(parameters)} = parameters")
        if constants:
            outer.add(f"    {_targets(constants)} = constants")
        outer.put()
        shift = len(outer.lines)
        outer.lines += body.lines
        outer.records += [replace(r, line=r.line + shift) for r in body.records]
        outer.put()
        outer.add("    return forward")

    # --- forward ---------------------------------------------------------------------------------

    def _write_forward(self) -> None:
        arguments = [*self.checks.arguments, *self.checks.sizes]
        self.writer.add(f"    def forward({', '.join(arguments)}):")
        needed = self._needed_sizes()
        for node in self.nodes:
            if node.op == "call_module":
                self._write_submodule(self.submodules[str(node.target)], node)
            elif node.op == "call_function" and not _is_item(node):
                if node in needed:
                    self._write_size(node)
            elif node.op == "output":
                result = write_value(node.args[0], self._name_of, "The output", self._constant)
                self.writer.add(f"        return {result}", "return")

    def _known_size(self, node: Node) -> str | None:
        """The symbolic size that a node of size arithmetic is, if it is one itself."""
        value = node.meta.get("val")
        if not symbolic.is_symbolic_int(value):
            return None
        return self.lowered.split.captured.names.get(symbolic.symbolic_expression(value))

    def _needed_sizes(self) -> set[Node]:
        """Size arithmetic that a call or the output needs, now that check_inputs found sizes."""
        needed: set[Node] = set()
        for node in reversed(self.nodes):
            if node.op != "call_function" or (node in needed and not self._known_size(node)):
                needed.update(node.all_input_nodes)
        return needed

    def _write_size(self, node: Node) -> None:
        """A size: one that check_inputs found, or arithmetic on such."""
        name = self._known_size(node)
        if name is not None:
            self.names.alias(("value", node.name), ("size", name))
            return
        if node.target is torch.ops.aten.sym_size.int and not node.kwargs:
            tensor, dim = node.args
            text = f"{write_value(tensor, self._name_of, where(node))}.size({dim})"
        else:
            text = write_call(node, lambda v: write_value(v, self._name_of, where(node)))
        self.writer.add(f"        {self._name_of(node)} = {text}", "size", node=node.name)

    def _write_submodule(self, sub: Submodule, call: Node) -> None:
        place = sub.module_path or "the top level"
        note = f"{sub.name}: {place} ({sub.reason})"
        self.writer.put(f"        # {clean(note)}", submodule=sub.index)
        items: dict[int, Node] = {u.args[1]: u for u in call.users if _is_item(u)}  # type: ignore[misc]
        results = [
            self._name_of(items[i]) if i in items else self.names.name((sub.index, i), "unused")
            for i in range(len(sub.outputs))
        ]
        source = _first_source(sub)
        target = f"{_targets(results)} = " if results else ""
        self.writer.add(
            f"        {target}{self._call(sub, call)}",
            "call",
            comment([source]),
            submodule=sub.index,
            source=source,
            defines=tuple(items[i].name for i in sorted(items)),
        )
        freed = [n for n in self.last.get(call, ()) if n.op == "call_function" and _is_item(n)]
        freed += [items[i] for i in sorted(items) if not items[i].users]
        gone = {self._name_of(n): n.name for n in freed}
        gone |= {results[i]: "" for i in range(len(results)) if i not in items}
        for words in deletions(list(gone), 8):
            frees = tuple(gone[word] for word in words if gone[word])
            text = f"        del {', '.join(words)}"
            self.writer.add(text, "del", submodule=sub.index, frees=frees)

    def _call(self, sub: Submodule, call: Node) -> str:
        arguments = [
            write_value(a, self._name_of, f"An argument of {sub.name}", self._constant)
            for a in call.args
        ]
        if call.kwargs:
            raise CodegenError(f"{sub.name} is called with keywords.", "Report this model.")
        kernel = self.lowered.kernel_of[sub.index]
        if kernel is not None:
            return f"kernel_{kernel}({', '.join(arguments)})"
        function = self.inlined[sub.index]
        return function.call(arguments, [self._slot_name(slot) for slot in function.constants])


def _is_item(node: Node) -> bool:
    """Whether a node of the stitching graph is one of a submodule's results."""
    return bool(node.args) and isinstance(node.args[0], Node) and node.args[0].op == "call_module"


def _targets(words: Sequence[str]) -> str:
    return f"({words[0]},)" if len(words) == 1 else ", ".join(words)


def _first_source(sub: Submodule) -> Source | None:
    """Where in the user's model a submodule begins."""
    traces = (n.meta.get("stack_trace") for n in sub.graph_module.graph.nodes)
    return next((s for s in map(read_source, traces) if s is not None), None)
