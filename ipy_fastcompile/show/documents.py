"""View -> the code in a report, by name: whole, or in windows with what stands beside a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from ..artifact.inert import inert, inert_lines
from ..explained import DiffLine, Explained, read_explained
from ..records import GraphRecord
from .passes_content import changing_passes, diff_text
from .regions import fold_around_call
from .tokens import Line, tokenise
from .view import View, code_lines, line_id, most_bytes, source_id

# Lines of code per window; long lines of calls make 200 of them about 60 kB.
WINDOW = 200

_ASSIGNED = re.compile(r"^\s*([A-Za-z_]\w*)(?:\s*:\s*[^=]+)?\s*=[^=]")


class Documents:
    """The code of one report.

    Tokenised documents are kept, because windows of one document share its tokens.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._lines: Callable[[str], list[Line]] = lru_cache(maxsize=24)(self._tokenise)
        self._program = code_lines(view.report)
        self._kernels = {kernel.index: kernel for kernel in view.report.kernels}
        # What was recorded of a kernel is unpacked when somebody asks for it.
        self.explained: Callable[[int], Explained] = lru_cache(maxsize=24)(self._explained)

    def names(self) -> Iterator[str]:
        """The names of all code: ``execution``, ``fx:0``, ``output:2``, ``source:2:0``, ...

        ``pass:2:0`` is what the first pass that changed kernel 2's graph did to it.
        """
        yield "execution"
        yield from (f"fx:{graph.index}" for graph in self.view.report.graphs)
        for kernel in self._kernels.values():
            yield from (f"{kind}:{kernel.index}" for kind in ("output", "aten", "native"))
            yield from (f"source:{kernel.index}:{n}" for n in range(len(kernel.sources)))
            changes = len(changing_passes(self.explained(kernel.index)))
            yield from (f"pass:{kernel.index}:{n}" for n in range(changes))

    def windows(self, name: str) -> int:
        """How many windows a document has."""
        lines = self._program if name == "execution" else self._lines(name)
        return -(-max(len(lines), 1) // WINDOW)

    def whole(self, name: str) -> str:
        """The text of a document."""
        text, kind = self._document(name)[0], name.partition(":")[0]
        if kind == "pass":
            lines = zip(self._diff(name), text.split("\n"), strict=True)
            text = "\n".join(f"{diff.mark} {line}" for diff, line in lines)
        return inert_lines(text)

    def window(self, name: str, number: int) -> dict[str, Any]:
        """A window of a document, as columns; raises LookupError where there is none."""
        start = number * WINDOW
        if name == "execution":
            # Only its docstring is a token of several lines, so a window is lexed on its own.
            total, part = len(self._program), self._program[start : start + WINDOW]
            window = tokenise("\n".join(part), self.view.report.execution_language)
            window += [("", ())] * (len(part) - len(window))
        else:
            total, window = len(self._lines(name)), self._lines(name)[start : start + WINDOW]
        if not window and start:
            raise LookupError(f"{name} has no line {start + 1}.")
        content: dict[str, Any] = {
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
                source_id(self.view, source_of.get(start + n + 1)) for n in range(len(window))
            ]
        elif kind == "pass":
            diff = self._diff(name)[start : start + WINDOW]
            content["sign"] = [inert(line.mark) for line in diff]
            content["source"] = [line_id(self.view, line.source) for line in diff]
        if kind in ("output", "native"):
            folds = fold_around_call(self._document(name)[0])
            content["folds"] = [[fold.first, fold.last, fold.label] for fold in folds]
        return content

    def profile(self) -> dict[str, Any]:
        """Bytes and seconds of every line of the execution code, for its silhouette."""
        count = len(self._program)
        live, seconds = [0] * count, [0.0] * count
        for record in self.view.report.lines:
            if record.line <= count:
                live[record.line - 1] = most_bytes(record)
                seconds[record.line - 1] = record.seconds or 0.0
        profiled = any(record.seconds is not None for record in self.view.report.lines)
        return {"live": live, "seconds": seconds if profiled else []}

    def _document(self, name: str) -> tuple[str, str]:
        """(text, language) of a document."""
        kind, *numbers = name.split(":")
        if kind == "execution":
            return self.view.report.execution_code, self.view.report.execution_language
        if kind == "fx":
            return self.view.graphs[int(numbers[0])].code, "python"
        kernel = self._kernels[int(numbers[0])]
        if kind == "pass":
            return "\n".join(diff_text(line) for line in self._diff(name)), "python"
        if kind == "source":
            source = kernel.sources[int(numbers[1])]
            return source.text, source.language if source.language == "cpp" else "python"
        texts = {"output": "output_code", "aten": "aten_graph", "native": "native_code"}
        return getattr(kernel, texts[kind]), "python"

    def _explained(self, kernel: int) -> Explained:
        try:
            return read_explained(self._kernels[kernel].explained)
        except ValueError as error:
            # All else of a report whose file is damaged here is still to be read.
            return Explained(missing=str(error))

    def _diff(self, name: str) -> tuple[DiffLine, ...]:
        """The lines of what a pass changed."""
        _, kernel, number = name.split(":")
        return changing_passes(self.explained(int(kernel)))[int(number)].diff

    def _tokenise(self, name: str) -> list[Line]:
        return tokenise(*self._document(name))

    def _execution_columns(self, start: int, stop: int) -> dict[str, Any]:
        """What the margin shows beside the lines ``start`` to ``stop``, counted from 0."""
        by_line = {record.line: record for record in self.view.report.lines}
        records = [by_line.get(line + 1) for line in range(start, stop)]
        return {
            "kind": [r.kind if r else "other" for r in records],
            "submodule": [-1 if r is None or r.submodule is None else r.submodule for r in records],
            "node": [inert(r.node) if r else "" for r in records],
            "source": [source_id(self.view, r.source if r else None) for r in records],
            "live": [r.live_bytes if r else 0 for r in records],
            "most": [most_bytes(r) if r else 0 for r in records],
            "liveText": [inert(r.live) if r else "" for r in records],
            "freed": [r.freed_bytes if r else 0 for r in records],
            "frees": [inert(", ".join(r.frees)) if r else "" for r in records],
            "peak": [bool(r and r.is_peak) for r in records],
            "seconds": [r.seconds if r else None for r in records],
        }


def _assigned_node(graph: GraphRecord, line: str) -> int:
    """Index of the node that a line of FX code assigns, -1 for none."""
    match = _ASSIGNED.match(line)
    if match is None:
        return -1
    return next((n for n, node in enumerate(graph.nodes) if node.name == match[1]), -1)
