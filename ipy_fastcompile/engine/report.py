"""programs + Packed -> Report: everything a compile has to tell, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ..artifact.schema import KernelEntry, Program, read_programs
from ..records import (
    NOT_COMPILED,
    BinaryRecord,
    GraphRecord,
    KernelRecord,
    KernelSource,
    LineRecord,
    NodeRecord,
    Report,
    Size,
    StageRecord,
    SubmoduleRecord,
    Value,
)
from ..runtime.machine import describe_machine
from ..torch_compat import symbolic
from .code.codegen import ExecutionCode
from .code.liveness import Liveness, line_liveness
from .code.sources import kernel_lines, read_source
from .graph.boundaries import module_path
from .kernels.degraded import SHOWN, alarms_of
from .kernels.lowered import Kernel, Lowered
from .kernels.native import kernel_sources
from .pack import Packed
from .program import CompiledProgram
from .sizes.phrases import condition_records


def build_report(
    programs: Sequence[CompiledProgram], packed: Packed, stages: Sequence[StageRecord]
) -> Report:
    """The report of a compile, before anything was saved or reloaded.

    ``stages`` are those after the programs' own, which come first and are summed by name.
    """
    entries = read_programs(packed.manifest, packed.path)
    shared = _shared_binaries(entries)
    reports = tuple(
        _of_program(program, entry, packed, shared)
        for program, entry in zip(programs, entries, strict=True)
    )
    first = reports[0]
    whole = replace(first, name="", stages=(*_summed(reports), *stages))
    if len(reports) == 1:
        return whole
    alarms = tuple(f"{report.name}: {alarm}" for report in reports for alarm in report.alarms)
    return replace(whole, alarms=alarms, programs=reports)


def with_program(report: Report, position: int, program: Report) -> Report:
    """The report with another one of the program at this position."""
    if not report.programs:
        return program
    programs = list(report.programs)
    programs[position] = program
    if position:
        return replace(report, programs=tuple(programs))
    return replace(
        report,
        lines=program.lines,
        submodules=program.submodules,
        measured_peak=program.measured_peak,
        profile=program.profile,
        eager=program.eager,
        programs=tuple(programs),
    )


def _summed(reports: Sequence[Report]) -> list[StageRecord]:
    """The stages of all programs; each with the time that it took for all of them."""
    found: dict[str, StageRecord] = {}
    for report in reports:
        for stage in report.stages:
            known = found.get(stage.name, StageRecord(stage.name, 0.0))
            detail = stage.detail and ": ".join(filter(None, (report.name, stage.detail)))
            details = "; ".join(filter(None, (known.detail, detail)))
            found[stage.name] = StageRecord(stage.name, known.seconds + stage.seconds, details)
    return list(found.values())


def _of_program(
    program: CompiledProgram, entry: Program, packed: Packed, shared: Set[str]
) -> Report:
    lowered, code, captured = program.lowered, program.code, program.captured
    describer = _Describer(captured.names, {s.name: s.example for s in captured.symbols})
    graphs, graph_of = _graphs(lowered, describer)
    stitched = {n.name: n for n in lowered.split.graph_module.graph.nodes}
    placeholders = {n.name: n for n in captured.graph_module.graph.nodes if n.op == "placeholder"}
    sizes = {s.name: s.example for s in captured.symbols}
    words = {str(symbol): name for symbol, name in captured.names.items()}
    alive = line_liveness(lowered, code, sizes, describer.size)
    lines = _lines(code, alive)
    spans = _spans(lines)
    submodules = tuple(
        SubmoduleRecord(
            index=sub.index,
            name=sub.name,
            inlined=lowered.kernel_of[sub.index] is None,
            reason=_reason(lowered, sub.index),
            module=sub.module_path,
            graph=graph_of[sub.index],
            kernel=lowered.kernel_of[sub.index],
            n_nodes=sub.n_nodes,
            inputs=tuple(describer.value(stitched[name]) for name in sub.inputs),
            outputs=tuple(describer.value(stitched[name]) for name in sub.outputs),
            lines=spans.get(sub.index, (0, 0)),
        )
        for sub in lowered.split.submodules
    )
    parameters = [placeholders[p.placeholder].meta["val"] for p in captured.parameters]
    output = next(n for n in captured.graph_module.graph.nodes if n.op == "output")
    notes = [*captured.notes, *filter(None, [lowered.split.note])]
    told = list(lowered.failures.items())[SHOWN:]  # those before are in the alarms
    notes += [f"submod_{i} runs uncompiled: {why}" for i, why in told]
    notes += [f"The predicted peak leaves out what is alive inside {why}" for why in alive.unknown]
    return Report(
        model=captured.model_name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        torch=str(torch.__version__),
        machine=describe_machine(),
        stages=program.stages,
        symbols=captured.symbols,
        inputs=tuple(describer.value(placeholders[s.placeholder], s.path) for s in captured.inputs),
        outputs=tuple(
            describer.value(n) if isinstance(n, Node) else Value("", "other", text=repr(n))
            for n in output.args[0]
        ),
        n_nodes=len(captured.graph_module.graph.nodes),
        n_parameters=len(captured.parameters),
        parameter_bytes=sum(p.numel() * p.element_size() for p in parameters),
        submodules=submodules,
        graphs=tuple(graphs),
        kernels=tuple(
            _kernel(k, entry.kernels[k.index], packed, shared, words) for k in lowered.kernels
        ),
        execution_code=code.text,
        lines=lines,
        notes=tuple(notes),
        alarms=alarms_of(lowered),
        predicted_peak=alive.peak,
        conditions=condition_records((*lowered.conditions, *lowered.of_data), captured.names),
        name=program.name,
        fixed=captured.fixed,
    )


def _reason(lowered: Lowered, index: int) -> str:
    reason = str(lowered.split.submodules[index].reason)
    if index in lowered.failures:
        return f"{reason}{NOT_COMPILED}{lowered.failures[index]}"
    return reason


# --- values, nodes, graphs -----------------------------------------------------------------------


class _Describer:
    """Writes fake values as records, sizes under the user's names."""

    def __init__(self, names: Mapping[Any, str], examples: Mapping[str, int]) -> None:
        import sympy

        self._symbols = {symbol: sympy.Symbol(name) for symbol, name in names.items()}
        self._examples = {symbol: examples[name] for symbol, name in names.items()}
        # A graph has few distinct sizes, and sympy is slow to print and to substitute.
        self._sizes: dict[Any, str] = {}
        self._numbers: dict[Any, int] = {}

    def size(self, value: Any) -> Size:
        if not symbolic.is_symbolic_int(value):
            return int(value)
        expression = symbolic.symbolic_expression(value)
        if expression not in self._sizes:
            self._sizes[expression] = str(expression.xreplace(self._symbols))
        return self._sizes[expression]

    def example(self, value: Any) -> int:
        """The number at the example sizes; 0 where a size is only known while running."""
        if not symbolic.is_symbolic_int(value):
            return int(value)
        expression = symbolic.symbolic_expression(value)
        if expression not in self._numbers:
            number = expression.subs(self._examples)
            self._numbers[expression] = int(number) if number.is_number else 0
        return self._numbers[expression]

    def value(self, node: Node, name: str | None = None) -> Value:
        return self.of(node.meta.get("val"), node.name if name is None else name)

    def of(self, value: Any, name: str = "") -> Value:
        if isinstance(value, torch.Tensor):
            strided = value.layout is torch.strided
            count: Any = value.numel()
            size = count * value.element_size()
            return Value(
                name=name,
                kind="tensor",
                dtype=str(value.dtype)[6:],
                shape=tuple(self.size(n) for n in value.shape),
                stride=tuple(self.size(n) for n in value.stride()) if strided else (),
                device=str(value.device),
                bytes=self.size(size),
                example_bytes=self.example(size),
            )
        if value is None:
            return Value(name, "none", text="None")
        if symbolic.is_symbolic_int(value):
            return Value(name, "int", text=str(self.size(value)))
        if isinstance(value, (bool, int, float, str)):
            return Value(name, type(value).__name__, text=repr(value))
        return Value(name, "other", text=type(value).__name__)


def _graphs(lowered: Lowered, describer: _Describer) -> tuple[list[GraphRecord], dict[int, int]]:
    """One record per distinct submodule, and which one each submodule has."""
    graphs: list[GraphRecord] = []
    index_of: dict[str, int] = {}
    graph_of: dict[int, int] = {}
    for sub, description in zip(lowered.split.submodules, lowered.descriptions, strict=True):
        if description.digest not in index_of:
            index_of[description.digest] = len(graphs)
            graphs.append(_graph(len(graphs), description.digest, sub.graph_module, describer))
        graph_of[sub.index] = index_of[description.digest]
    return graphs, graph_of


def _graph(
    index: int, digest: str, graph_module: GraphModule, describer: _Describer
) -> GraphRecord:
    nodes = tuple(
        NodeRecord(
            name=node.name,
            op=node.op,
            target=str(node.target),
            arguments=", ".join(
                [*map(str, node.args), *(f"{k}={v}" for k, v in node.kwargs.items())]
            )[:500],
            inputs=tuple(n.name for n in node.all_input_nodes),
            value=None if node.op == "output" else describer.value(node),
            source=read_source(node.meta.get("stack_trace")),
            module=module_path(node),
        )
        for node in graph_module.graph.nodes
    )
    return GraphRecord(index, digest, nodes, graph_module.code.strip())


# --- kernels -------------------------------------------------------------------------------------


def _binaries(entry: KernelEntry) -> Iterator[tuple[str, str]]:
    """The names and members of what a kernel runs; its variants have their own."""
    yield from entry.libraries
    yield from ((launch.name, launch.cubin) for launch in entry.launches)


def _shared_binaries(programs: Sequence[Program]) -> Set[str]:
    """The members that several kernels run, such as a library that is linked of all of them."""
    users: dict[str, set[str]] = {}
    for entry in (kernel for program in programs for kernel in program.kernels):
        for _, member in _binaries(entry):
            users.setdefault(member, set()).add(entry.torch)
    return {member for member, kernels in users.items() if len(kernels) > 1}


def _kernel(
    kernel: Kernel,
    entry: KernelEntry,
    packed: Packed,
    shared: Set[str],
    words: Mapping[str, str],
) -> KernelRecord:
    native = kernel.native
    binaries = [
        (member, BinaryRecord(name, packed.digest_of(member), len(packed.members[member])))
        for name, member in _binaries(entry)
    ]
    own = {entry.torch, *(member for member, _ in binaries)} - shared
    return KernelRecord(
        index=kernel.index,
        digest=kernel.digest,
        submodules=kernel.submodules,
        native=native is not None,
        why=kernel.why,
        output_code=kernel.parts.output_code,
        aten_graph=kernel.parts.aten_graph,
        native_code=native.code if native else "",
        sources=tuple(KernelSource(*s) for s in kernel_sources(kernel.parts.output_code)),
        binaries=tuple(binary for _, binary in binaries),
        ops=native.ops if native else (),
        size=sum(len(packed.members[member]) for member in own),
        seconds=kernel.seconds,
        near_twin=kernel.near_twin,
        explained=kernel.explained.with_sizes_named(words).packed(),
        output_lines=tuple(
            (line, sources[-1])
            for line, sources in kernel_lines(
                kernel.parts.output_code, kernel.parts.line_map
            ).items()
        ),
    )


# --- lines of the execution code -----------------------------------------------------------------


def _lines(code: ExecutionCode, alive: Liveness) -> tuple[LineRecord, ...]:
    peaks = (i for i, a in enumerate(alive.lines) if a.peak_bytes == alive.peak > 0)
    peak_at = next(peaks, -1)
    records = []
    for position, (line, state) in enumerate(zip(code.lines, alive.lines, strict=True)):
        records.append(
            LineRecord(
                line=line.line,
                kind=line.kind,
                submodule=line.submodule,
                node=line.node,
                source=line.source,
                live_bytes=state.live_bytes,
                live=state.live,
                frees=line.frees,
                freed_bytes=state.freed_bytes,
                is_peak=position == peak_at,
                peak_bytes=state.peak_bytes,
            )
        )
    return tuple(records)


def _spans(lines: Sequence[LineRecord]) -> dict[int, tuple[int, int]]:
    """First and last line of each submodule's call; lines of the function it calls are none."""
    spans: dict[int, tuple[int, int]] = {}
    for line in lines:
        if line.submodule is not None and line.kind == "call":
            spans[line.submodule] = (line.line, line.line)
        elif line.submodule in spans and line.kind in ("rest", "del"):
            spans[line.submodule] = (spans[line.submodule][0], line.line)
    return spans
