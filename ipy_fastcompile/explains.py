"""What a report answers of one kernel: its passes, its fusions, and why two nodes are not fused."""

from __future__ import annotations

from typing import Any

from .views import view_of


class Told(str):
    """A text that is an answer: printed or as the last line of a cell, it is as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("Told._repr_mimebundle_")(self)
        return bundle


class Explains:
    """The questions that a `Report` takes; see `explained.Explained` for what they are answered by.

    ``kernel`` is the number of a kernel, and of several programs the first one's; ask
    ``report.programs[n]`` for those of another. Each raises LookupError where there is none.
    """

    def explained(self, kernel: int = 0) -> Any:
        """All that was recorded of a kernel, as data: an `explained.Explained`."""
        return view_of("Report.explained")(self, kernel)

    def passes(self, kernel: int = 0) -> Told:
        """The passes that ran over a kernel's graph, and the graph before and after those that
        changed it: a diff, with the lines of the model.
        """
        return Told(view_of("Report.passes")(self, kernel))

    def fusions(self, kernel: int = 0) -> Told:
        """What Inductor's scheduler fused: each function's groups of nodes, each call of a library,
        what was not fused and why, in Inductor's words, and which buffers share memory.
        """
        return Told(view_of("Report.fusions")(self, kernel))

    def why_not_fused(self, kernel: int, first: str, second: str) -> Told:
        """Whether two nodes are fused, and if not, the reason that Inductor recorded.

        Parameters
        ----------
        kernel:
            The number of the kernel.
        first, second:
            A node of the scheduler (``"op3"``), a buffer (``"buf3"``), or a node of the kernel's
            graph, before or after the passes (``"softmax"``, ``"sum_1"``).

        Raises LookupError, with the names that there are, for a name of none.
        """
        return Told(view_of("Report.why_not_fused")(self, kernel, first, second))
