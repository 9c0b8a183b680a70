"""Lowered -> ExecutionCode: plain, runnable Python that stitches kernels and inlined pieces.

The idea is vLLM's (#38657, #40151): the generated source, not an FX graph, is what a reload runs.
`generate_execution_code` writes a module with three kinds of functions:

- ``check_inputs(check, ...)`` validates a call and returns the arguments of ``forward``: the
  inputs, laid out as compiled, and the symbolic sizes;
- ``inlined_N(...)``, one per distinct submodule that is still plain FX (the splitting ops);
- ``bind(kernels, parameters, constants)``, which returns ``forward`` with all it calls bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from ...grammar.check import check_grammar
from ..kernels.lowered import Lowered
from .forward import Forward
from .header import header_lines
from .inline import Functions, Inlined, generate_execution_code_with_name
from .input_checks import InputChecks
from .names import Namespace
from .writer import CodeLine, Writer

__all__ = [
    "CodeLine",
    "ExecutionCode",
    "generate_execution_code",
    "generate_execution_code_with_name",
]


@dataclass(frozen=True, repr=False)
class ExecutionCode:
    """The generated text, what its lines stand for, and the tensors of its constants table.

    ``inlined`` maps the index of an inlined submodule to the function that runs it; ``names`` maps
    a value's name in the stitching graph to its name in the text; ``ops`` are the registered ops
    that the text calls, ``"aten::add.Tensor"``.
    """

    text: str
    lines: tuple[CodeLine, ...]
    constants: tuple[torch.Tensor, ...]
    inlined: Mapping[int, str]
    names: Mapping[str, str]
    ops: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<execution code, {len(self.lines)} lines>"

    def __str__(self) -> str:
        return self.text


def generate_execution_code(lowered: Lowered) -> ExecutionCode:
    """Write the execution code of a lowered model.

    Raises `CodegenError` naming the node and its source line when a node cannot be written, and
    `GrammarError` naming the line when something was written that the grammar does not have.
    """
    names = Namespace()
    checks = InputChecks(lowered.split.captured, names, lowered.conditions)
    functions = Functions()
    inlined = _inline(lowered, functions)
    body = Writer()
    _write_input_checks(body, checks)
    _write_functions(body, functions, inlined)
    forward = Forward(body, lowered, names, functions, checks, inlined)
    forward.write_bind()
    head = Writer()
    for line in header_lines(lowered, checks, inlined):
        head.put(line)
    if any("math." in line for line in body.lines):
        head.add("import math")
    head.add("import torch")
    head.gap()
    text = "\n".join([*head.lines, *body.lines]) + "\n"
    check_grammar(text, "execution code")
    shift = len(head.lines)
    return ExecutionCode(
        text=text,
        lines=(*head.records, *(replace(r, line=r.line + shift) for r in body.records)),
        constants=tuple(functions.constants.tensors),
        inlined={index: function.name for index, function in inlined.items()},
        names=forward.value_names(),
        ops=tuple(sorted(functions.ops)),
    )


# --- checks and inlined functions ----------------------------------------------------------------


def _write_input_checks(writer: Writer, checks: InputChecks) -> None:
    writer.add(f"def check_inputs({', '.join(['check', *checks.arguments])}):")
    writer.put('    """The arguments of forward(); raises InputError when a call does not fit."""')
    for line in checks.lines():
        writer.add(f"    {line}", "return" if line.startswith("return ") else "check")
    writer.gap()


def _inline(lowered: Lowered, functions: Functions) -> dict[int, Inlined]:
    """The function of every inlined submodule; twins share one."""
    return {
        sub.index: functions.of(sub.graph_module, description.digest)
        for sub, description in zip(lowered.split.submodules, lowered.descriptions, strict=True)
        if lowered.kernel_of[sub.index] is None
    }


def _write_functions(writer: Writer, functions: Functions, inlined: Mapping[int, Inlined]) -> None:
    first_of: dict[str, int] = {}
    for index, function in inlined.items():
        first_of.setdefault(function.name, index)
    for function in functions.written:
        for line in function.lines:
            writer.put(
                line.text,
                line.kind,
                submodule=first_of.get(function.name),
                node=line.node,
                source=line.source,
            )
        writer.gap()
