"""(View, key) -> content: the parts of a report that the explorer fetches one by one.

A key names a piece of content: ``graph:3``, ``svg:3``, ``code:execution:0``. The widget answers
keys as they are asked; the offline page holds the answers of all keys. Everything is plain data
for JSON, columns rather than rows where there are many, and every string is inert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .documents import Documents
from .fusion_content import fusion_content
from .graph_content import graph_columns, graph_drawing, source_columns, split_columns
from .passes_content import passes_content
from .submodule_content import submodule_facts
from .view import View

Content = dict[str, Any]


class UnknownKey(LookupError):
    """A key that names nothing in this report."""


class Contents:
    """The contents of one report, by key."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.documents = Documents(view)
        self._submodules = {s.index: s for s in view.report.submodules}
        self._kernels = {kernel.index: kernel for kernel in view.report.kernels}

    def answer(self, key: str) -> Content:
        """The content of ``key``. Raises UnknownKey when the report has no such thing."""
        head, _, rest = key.partition(":")
        answers: dict[str, Callable[[str], Content]] = {
            "split": lambda opened: split_columns(self.view, opened),
            "graph": lambda number: graph_columns(self.view, self.view.graphs[int(number)]),
            "svg": self._svg,
            "code": self._code,
            "text": lambda name: {"text": self.documents.whole(name)},
            "sub": lambda number: submodule_facts(self.view, self._submodules[int(number)]),
            "passes": lambda number: passes_content(self.documents.explained(int(number))),
            "fusion": self._fusion,
            "sources": lambda _: source_columns(self.view),
            "profile": lambda _: self.documents.profile(),
            "hello": lambda _: {},
        }
        if head not in answers:
            raise UnknownKey(f"No content is called {key!r:.80}.")
        try:
            return answers[head](rest)
        except (ValueError, LookupError) as error:
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
        for kernel in report.kernels:
            yield from (f"passes:{kernel.index}", f"fusion:{kernel.index}")
        for name in self.documents.names():
            if name != "execution":
                yield from self._windows(name)
        folds = [item.first for item in self.view.items if item.is_fold]
        yield from (f"split:{first}" for first in folds)
        if len(folds) > 1:
            yield "split:all"

    def _windows(self, name: str) -> Iterator[str]:
        yield from (f"code:{name}:{number}" for number in range(self.documents.windows(name)))

    def _code(self, rest: str) -> Content:
        name, _, number = rest.rpartition(":")
        return self.documents.window(name, int(number))

    def _fusion(self, number: str) -> Content:
        kernel = self._kernels[int(number)]
        return fusion_content(self.view, kernel, self.documents.explained(kernel.index))

    def _svg(self, rest: str) -> Content:
        number, _, flags = rest.partition(":")
        graph = self.view.graphs[int(number)]
        return graph_drawing(self.view, graph, set(flags.split("+")))
