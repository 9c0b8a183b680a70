"""this process -> the graphs that ``backend="fastcompile"`` was given, and what runs each."""

from __future__ import annotations

import threading

from ..frozen import frozen
from ..records import Report, Source
from ..torch_compat.dynamo import Origin
from .serve import Server


@frozen
class Graph:
    """One graph of a compiled model.

    Attributes
    ----------
    order:
        Which graph of the process it is, from 0; those of a call are in the order that they run.
    frame, recompile:
        Dynamo's number of the Python function that the graph is from, and how often that had been
        compiled before; `torch`'s logs write ``[frame/recompile]``.
    function:
        The function; what follows a break is ``torch_dynamo_resume_in_forward_at_12``.
    ends_at:
        The line that the graph ends at.
    is_break, ends:
        Whether that is a graph break, and why in Dynamo's words.
    recompiled_for:
        Of a recompile, the guard that failed.
    runs:
        "program", or "inductor" or "eager" where no program was made; ``why`` says why not.
    report:
        The report of the program, with ``cache`` "hit" or "miss"; None where there is none.
    seconds:
        From Dynamo's graph to what runs it: load or compile.
    unfit:
        Calls that ran as eager, since the program does not take them: inputs that share memory.
    """

    order: int
    frame: int | None
    recompile: int
    function: str
    ends_at: Source
    is_break: bool
    ends: str
    recompiled_for: str
    runs: str
    why: str
    report: Report | None
    seconds: float
    unfit: int

    def __str__(self) -> str:
        where = f"{self.function}, to {self.ends_at.file}:{self.ends_at.line}"
        cache = f", cache {self.report.cache}" if self.report is not None else ""
        why = f" ({self.why})" if self.why else ""
        first = self.ends.partition("\n")[0]
        end = f"; graph break: {first}" if self.is_break else ""
        return f"[{self.frame}/{self.recompile}] {where}: {self.runs}{cache}{why}{end}"


_LOCK = threading.Lock()
_SEEN: list[tuple[Origin, Server, float]] = []


def note(origin: Origin, server: Server, seconds: float) -> None:
    """Remember a graph, for `graphs`."""
    with _LOCK:
        _SEEN.append((origin, server, seconds))


def graphs() -> tuple[Graph, ...]:
    """The graphs that ``torch.compile(..., backend="fastcompile")`` has compiled in this process.

    Returns
    -------
    A `Graph` for each, in the order of compiling: which function and which recompile it is from,
    where and why it ends, what runs it, and its `records.Report`.

    Examples
    --------
    ::

        model = torch.compile(model, backend="fastcompile")
        model(x)
        for graph in fc.graphs():
            print(graph)
    """
    with _LOCK:
        seen = list(_SEEN)
    return tuple(
        Graph(
            order,
            origin.frame,
            origin.recompile,
            origin.function,
            Source(origin.file, origin.line),
            origin.is_break,
            origin.reason,
            origin.recompiled_for,
            server.runs,
            server.why,
            server.report,
            seconds,
            server.unfit,
        )
        for order, (origin, server, seconds) in enumerate(seen)
    )
