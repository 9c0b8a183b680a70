"""(View, key) -> content: the parts of a report that the explorer fetches one by one.

A key names a piece of content: ``graph:3``, ``svg:3``, ``code:execution:0``. The widget answers
keys as they are asked; the offline page holds the answers of all keys. Everything is plain data
for JSON, columns rather than rows where there are many, and every string is inert.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from ..artifact.inert import inert, inert_lines
from ..artifact.units import format_bytes
from ..records import GraphRecord, KernelRecord, Source, SubmoduleRecord, Value
from .draw import (
    DRAW_LIMIT,
    FORCED_LIMIT,
    draw_graph,
    draw_split,
    graph_edges,
    node_kinds,
    open_items,
)
from .layout import has_graphviz
from .tokens import Line, tokenise
from .units import format_count, format_value
from .view import View, code_lines, most_bytes, output_bytes

Content = dict[str, Any]

# Lines of code per answer; long lines of calls make 200 of them about 60 kB.
WINDOW = 200
# An opened split graph of more submodules than this is not drawn unasked.
SPLIT_LIMIT = 1_500

_ASSIGNED = re.compile(r"^\s*([A-Za-z_]\w*)(?:\s*:\s*[^=]+)?\s*=[^=]")


class UnknownKey(LookupError):
    """A key that names nothing in this report."""


class Contents:
    """The contents of one report, by key.

    Tokenised documents and drawings are kept, because windows of one document share its tokens.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._lines: Callable[[str], list[Line]] = lru_cache(maxsize=24)(self._tokenise)
        self._program = code_lines(view.report)
        self._submodules = {s.index: s for s in view.report.submodules}
        self._kernels = {kernel.index: kernel for kernel in view.report.kernels}

    def answer(self, key: str) -> Content:
        """The content of ``key``. Raises UnknownKey when the report has no such thing."""
        head, _, rest = key.partition(":")
        answers: dict[str, Callable[[str], Content]] = {
            "split": self._split,
            "graph": self._graph,
            "svg": self._svg,
            "code": self._code,
            "text": self._text,
            "sub": self._submodule,
            "sources": self._sources,
            "profile": self._profile,
            "hello": lambda _: {},
        }
        if head not in answers:
            raise UnknownKey(f"No content is called {key!r:.80}.")
        try:
            return answers[head](rest)
        except (ValueError, IndexError, KeyError) as error:
            raise UnknownKey(f"This report has nothing for {key!r:.80}.") from error

    def keys(self) -> Iterator[str]:
        """Every key of the report, what a reader sees first coming first."""
        report = self.view.report
        yield "split:"
        yield from self._windows("execution")
        yield from ("profile:", "sources:")
        for graph in report.graphs:
            yield from (f"graph:{graph.index}", f"svg:{graph.index}", f"svg:{graph.index}:all")
        yield from (f"sub:{submodule.index}" for submodule in report.submodules)
        for name in self.documents():
            if name != "execution":
                yield from self._windows(name)
        folds = [item.first for item in self.view.items if item.is_fold]
        yield from (f"split:{first}" for first in folds)
        if len(folds) > 1:
            yield "split:all"

    def documents(self) -> Iterator[str]:
        """The names of all code: ``execution``, ``fx:0``, ``output:2``, ``source:2:0``, ..."""
        yield "execution"
        yield from (f"fx:{graph.index}" for graph in self.view.report.graphs)
        for kernel in self._kernels.values():
            yield from (f"{kind}:{kernel.index}" for kind in ("output", "aten", "native"))
            yield from (f"source:{kernel.index}:{n}" for n in range(len(kernel.sources)))

    def _windows(self, document: str) -> Iterator[str]:
        lines = self._program if document == "execution" else self._lines(document)
        yield from (f"code:{document}:{n}" for n in range(-(-max(len(lines), 1) // WINDOW)))

    # --- code ------------------------------------------------------------------------------------

    def _document(self, name: str) -> tuple[str, str]:
        """(text, language) of a document."""
        kind, *numbers = name.split(":")
        if kind == "execution":
            return self.view.report.execution_code, "python"
        if kind == "fx":
            return self.view.graphs[int(numbers[0])].code, "python"
        kernel = self._kernels[int(numbers[0])]
        if kind == "source":
            source = kernel.sources[int(numbers[1])]
            return source.text, source.language if source.language == "cpp" else "python"
        texts = {"output": "output_code", "aten": "aten_graph", "native": "native_code"}
        return getattr(kernel, texts[kind]), "python"

    def _tokenise(self, name: str) -> list[Line]:
        return tokenise(*self._document(name))

    def _text(self, name: str) -> Content:
        return {"text": inert_lines(self._document(name)[0])}

    def _code(self, rest: str) -> Content:
        name, _, number = rest.rpartition(":")
        start = int(number) * WINDOW
        if name == "execution":
            # Its statements take a line each, so that a window can be lexed on its own.
            total, part = len(self._program), self._program[start : start + WINDOW]
            window = tokenise("\n".join(part), "python")
            window += [("", ())] * (len(part) - len(window))
        else:
            total, window = len(self._lines(name)), self._lines(name)[start : start + WINDOW]
        if not window and start:
            raise UnknownKey(f"{name} has no line {start + 1}.")
        content: Content = {
            "total": total,
            "start": start,
            "text": [text for text, _ in window],
            "runs": [list(runs) for _, runs in window],
        }
        kind, *numbers = name.split(":")
        if kind == "execution":
            content |= self._execution_columns(start, start + len(window))
        elif kind == "fx":
            graph = self.view.graphs[int(numbers[0])]
            content["node"] = [_assigned_node(graph, text) for text, _ in window]
        elif kind == "output":
            source_of = dict(self._kernels[int(numbers[0])].output_lines)
            content["source"] = [
                self._source_id(source_of.get(start + n + 1)) for n in range(len(window))
            ]
        return content

    def _source_id(self, source: Source | None) -> int:
        return -1 if source is None else self.view.source_ids[source]

    def _execution_columns(self, start: int, stop: int) -> Content:
        """What the margin shows beside the lines ``start`` to ``stop``, counted from 0."""
        by_line = {record.line: record for record in self.view.report.lines}
        records = [by_line.get(line + 1) for line in range(start, stop)]
        return {
            "kind": [r.kind if r else "other" for r in records],
            "submodule": [-1 if r is None or r.submodule is None else r.submodule for r in records],
            "node": [inert(r.node) if r else "" for r in records],
            "source": [self._source_id(r.source if r else None) for r in records],
            "live": [r.live_bytes if r else 0 for r in records],
            "most": [most_bytes(r) if r else 0 for r in records],
            "liveText": [inert(r.live) if r else "" for r in records],
            "freed": [r.freed_bytes if r else 0 for r in records],
            "frees": [inert(", ".join(r.frees)) if r else "" for r in records],
            "peak": [bool(r and r.is_peak) for r in records],
            "seconds": [r.seconds if r else None for r in records],
        }

    def _profile(self, _: str) -> Content:
        """Bytes and seconds of every line of the execution code, for its silhouette."""
        count = len(self._program)
        live, seconds = [0] * count, [0.0] * count
        for record in self.view.report.lines:
            if record.line <= count:
                live[record.line - 1] = most_bytes(record)
                seconds[record.line - 1] = record.seconds or 0.0
        profiled = any(record.seconds is not None for record in self.view.report.lines)
        return {"live": live, "seconds": seconds if profiled else []}

    # --- graphs ----------------------------------------------------------------------------------

    def _split(self, opened: str) -> Content:
        folds = {str(item.first) for item in self.view.items if item.is_fold}
        if opened not in folds | {"", "all"}:
            raise UnknownKey(f"There is no fold at {opened!r:.40}.")
        items = open_items(self.view, opened)
        columns = {
            "first": [item.first for item in items],
            "period": [item.period for item in items],
            "count": [item.count for item in items],
        }
        if not has_graphviz():
            return columns | {"svg": "", "why": NO_GRAPHVIZ}
        if len(items) > SPLIT_LIMIT:
            why = f"{format_count(len(items), 'submodule')} are too many for one picture."
            return columns | {"svg": "", "why": why}
        return columns | {"svg": draw_split(self.view, opened).svg, "why": ""}

    def _graph(self, number: str) -> Content:
        graph = self.view.graphs[int(number)]
        return {
            "name": [inert(n.name) for n in graph.nodes],
            "op": [inert(n.op) for n in graph.nodes],
            "target": [inert(n.target) for n in graph.nodes],
            "kind": list(node_kinds(self.view, graph)),
            "value": [format_value(n.value) for n in graph.nodes],
            "bytes": [n.value.example_bytes if n.value else 0 for n in graph.nodes],
            "arguments": [inert(n.arguments)[:400] for n in graph.nodes],
            "module": [inert(n.module) for n in graph.nodes],
            "source": [self._source_id(n.source) for n in graph.nodes],
            "edges": [end for edge in graph_edges(graph) for end in edge],
            "owner": next(
                (s.index for s in self.view.report.submodules if s.graph == graph.index), -1
            ),
        }

    def _svg(self, rest: str) -> Content:
        number, _, flags = rest.partition(":")
        graph = self.view.graphs[int(number)]
        options = set(flags.split("+")) - {""}
        if not has_graphviz():
            return {"svg": "", "why": NO_GRAPHVIZ, "anyway": False}
        limit = FORCED_LIMIT if "anyway" in options else DRAW_LIMIT
        if len(graph.nodes) > limit:
            why = f"{format_count(len(graph.nodes), 'node')} are too many for a quick drawing."
            return {"svg": "", "why": why, "anyway": len(graph.nodes) <= FORCED_LIMIT}
        drawing = draw_graph(self.view, graph, weights="all" in options)
        return {"svg": drawing.svg, "nodes": list(drawing.targets), "why": "", "anyway": False}

    def _sources(self, _: str) -> Content:
        """The table of source lines; ``graphs`` says which graphs hold nodes of each line."""
        graphs: list[list[int]] = [[] for _ in self.view.sources]
        for graph in self.view.report.graphs:
            for source in dict.fromkeys(n.source for n in graph.nodes if n.source):
                graphs[self.view.source_ids[source]].append(graph.index)
        files = list(dict.fromkeys(source.file for source in self.view.sources))
        return {
            "files": [inert(file) for file in files],
            "file": [files.index(source.file) for source in self.view.sources],
            "line": [source.line for source in self.view.sources],
            "function": [inert(source.function) for source in self.view.sources],
            "text": [inert(source.text.strip()) for source in self.view.sources],
            "graphs": graphs,
        }

    # --- submodules ------------------------------------------------------------------------------

    def _submodule(self, number: str) -> Content:
        submodule = self._submodules[int(number)]
        kernel = None if submodule.kernel is None else self._kernels[submodule.kernel]
        twins = [
            s.index
            for s in self.view.report.submodules
            if (s.kernel, s.inlined) == (submodule.kernel, submodule.inlined)
            and (submodule.kernel is not None or s.graph == submodule.graph)
        ]
        return {
            "name": inert(submodule.name),
            "module": inert(submodule.module),
            "reason": inert(submodule.reason),
            "lines": list(submodule.lines),
            "outputBytes": output_bytes(submodule),
            "inputs": self._values(submodule, submodule.inputs, inputs=True),
            "outputs": self._values(submodule, submodule.outputs, inputs=False),
            "twins": twins,
            "kernel": None if kernel is None else _kernel_facts(kernel),
        }

    def _values(
        self, submodule: SubmoduleRecord, values: tuple[Value, ...], *, inputs: bool
    ) -> list[list[Any]]:
        """Rows of name, value, stride, device, bytes, where it comes from and as what."""
        rows: list[list[Any]] = []
        for position, value in enumerate(values):
            producer = self.view.producers.get(value.name, -1) if inputs else -1
            origin = "weight" if position in self.view.weights[submodule.index] else "input"
            rows.append(
                [
                    inert(value.name),
                    format_value(value, 80),
                    inert(", ".join(map(str, value.stride))),
                    inert(value.device),
                    inert(str(value.bytes)),
                    value.example_bytes,
                    producer,
                    "" if not inputs else "submodule" if producer >= 0 else origin,
                ]
            )
        return rows


NO_GRAPHVIZ = "Drawing needs pygraphviz: pip install pygraphviz. The table has all that it shows."


def _assigned_node(graph: GraphRecord, line: str) -> int:
    """Index of the node that a line of FX code assigns, -1 for none."""
    match = _ASSIGNED.match(line)
    if match is None:
        return -1
    return next((n for n, node in enumerate(graph.nodes) if node.name == match[1]), -1)


def _kernel_facts(kernel: KernelRecord) -> Content:
    return {
        "index": kernel.index,
        "digest": inert(kernel.digest),
        "native": kernel.native,
        "why": inert(kernel.why),
        "size": kernel.size,
        "sizeText": format_bytes(kernel.size),
        "seconds": kernel.seconds,
        "near": inert(kernel.near_twin),
        "ops": [inert(op) for op in kernel.ops],
        "sources": [[inert(s.name), inert(s.language)] for s in kernel.sources],
        "binaries": [[inert(b.name), inert(b.sha256), b.size] for b in kernel.binaries],
        "lines": {
            "output": kernel.output_code.count("\n"),
            "aten": kernel.aten_graph.count("\n"),
            "native": kernel.native_code.count("\n"),
        },
    }
