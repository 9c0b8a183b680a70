"""what the stages made of one kind of call: an artifact is packed of one or more of these."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import StageRecord
from .calls.captured import Captured
from .code.codegen import ExecutionCode
from .graph.split import SplitGraph
from .kernels.lowered import Lowered


@dataclass(frozen=True, repr=False)
class CompiledProgram:
    """One program; each of its parts prints as text.

    ``name`` is "" where it is the only one; ``stages`` say how long each took.
    """

    name: str
    lowered: Lowered
    code: ExecutionCode
    stages: tuple[StageRecord, ...] = ()

    def __repr__(self) -> str:
        return f"<program {self.name!r}: {self.lowered!r}, {self.code!r}>"

    @property
    def captured(self) -> Captured:
        """The call as one graph."""
        return self.lowered.split.captured

    @property
    def split_graph(self) -> SplitGraph:
        """The same graph, split."""
        return self.lowered.split
