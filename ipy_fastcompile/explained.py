"""What Inductor did to one kernel, as plain data: passes, scheduled nodes, fusions, and refusals.

A report keeps it as text that nobody reads before it is asked for, so that a report with it is
read as fast as one without: JSON, deflated, in base85.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace

from .data import from_data, to_data
from .frozen import frozen
from .records import Report, Source

# A report stays a few megabytes: what is beyond these, for one kernel, is counted and left out.
MOST_DIFF_LINES = 1000
MOST_REFUSALS = 1000
MOST_BYTES = 1 << 26  # of the JSON of one kernel; what claims more is not read


@frozen
class DiffLine:
    """A line of a graph before and after a pass; ``mark`` is "-", "+", or " " for both."""

    mark: str
    text: str  # "add_1: f32[2, 8] = aten.add.Tensor(mul, x)"
    source: Source | None = None


@frozen
class PassRecord:
    """A pass over the graph of a kernel.

    ``stage`` is Inductor's: "pre_grad_passes", "joint_graph_passes", "post_grad_passes".
    ``diff`` is empty where the pass changed nothing; ``left_out`` counts lines beyond its limit.
    """

    stage: str
    name: str
    seconds: float
    changed: bool
    diff: tuple[DiffLine, ...] = ()
    left_out: int = 0


@frozen
class ScheduledNode:
    """A node of Inductor's scheduler, from before fusion: a loop over one buffer, or a call.

    ``sources`` are the nodes of the submodule's graph that it was made from, ``origins`` those of
    the graph after all passes, and ``ops`` what these compute.
    """

    name: str  # "op3"
    kind: str  # "pointwise" | "reduction" | "extern" | "template" | "nop" | "other"
    buffers: tuple[str, ...]  # what it writes: "buf3"
    sources: tuple[str, ...]
    origins: tuple[str, ...]
    ops: tuple[str, ...]  # "aten.add.Tensor"
    value: str = ""  # "float32[2, seq, 64]", strides where they are not contiguous
    call: str = ""  # of an extern node: "extern_kernels.addmm"
    source: Source | None = None


@frozen
class FusedGroup:
    """Scheduled nodes that were fused, or one that was not; ``kernel`` is the function they are in.

    One C++ function may hold several groups, each in loops of its own.
    """

    nodes: tuple[str, ...]
    kernel: str = ""  # "cpp_fused_add_mul_0", or "extern_kernels.addmm"


@frozen
class Refusal:
    """Why the scheduler did not fuse two groups that it looked at, in Inductor's words."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    reason: str


@frozen
class TriedRecord:
    """A configuration that a kernel on a GPU was timed with; None where something is not known."""

    configuration: str  # "XBLOCK: 256, num_warps: 4, num_ctas: 1, num_stages: 1"
    seconds: float | None = None
    registers: int | None = None
    spills: int | None = None


@frozen
class Tuning:
    """The configurations of a Triton kernel, and which of them its autotuning chose."""

    kernel: str
    chosen: str
    tried: tuple[TriedRecord, ...]


@frozen
class Explained:
    """All that was recorded of one kernel while Inductor compiled it.

    ``missing`` says why nothing was, where that is so. ``left_out`` counts refusals beyond the
    limit.
    """

    passes: tuple[PassRecord, ...] = ()
    nodes: tuple[ScheduledNode, ...] = ()
    groups: tuple[FusedGroup, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    left_out: int = 0
    missing: str = ""
    tunings: tuple[Tuning, ...] = ()

    def with_sizes_named(self, names: Mapping[str, str]) -> Explained:
        """The same in the words of a reader: ``[s77, 64]`` as ``[seq, 64]``, by these names."""
        if not names:
            return self
        symbol = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")

        def named(text: str) -> str:
            return symbol.sub(lambda found: names[found[0]], text)

        return replace(
            self,
            passes=tuple(
                replace(p, diff=tuple(replace(line, text=named(line.text)) for line in p.diff))
                for p in self.passes
            ),
            nodes=tuple(replace(node, value=named(node.value)) for node in self.nodes),
            refusals=tuple(replace(r, reason=named(r.reason)) for r in self.refusals),
        )

    def packed(self) -> str:
        """The text that `read_explained` gives back as an equal record."""
        # In ASCII: a path, and so a source line, may hold what no UTF-8 does.
        data = json.dumps(to_data(self)).encode()
        return base64.b85encode(zlib.compress(data, 6)).decode()


# Of a kernel whose report has no such text.
NOT_RECORDED = Explained(missing="It was compiled by a version that recorded none of this.")

FROM_CACHE = Explained(
    missing="Inductor took this kernel out of its own cache, which says nothing of passes and "
    "fusions. Compile with explain=True, or --explain, and it is compiled anew."
)


def read_explained(text: str) -> Explained:
    """What `Explained.packed` wrote; `NOT_RECORDED` for an empty text.

    Raises ValueError when the text is something else.
    """
    if not text:
        return NOT_RECORDED
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(base64.b85decode(text), MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"what was recorded of a kernel is damaged: {error}") from error
    if not reader.eof:
        raise ValueError(f"what was recorded of a kernel is cut off, or over {MOST_BYTES} bytes")
    found: Explained = from_data(Explained, json.loads(data))
    return found


def lacks_records(text: str) -> bool:
    """Whether a kernel's passes and fusions were not recorded, and a compile with explain=True
    would record them.
    """
    return read_explained(text) in (NOT_RECORDED, FROM_CACHE)


def of_kernel(report: Report, kernel: int) -> Explained:
    """What was recorded of a kernel of a report. Raises LookupError where there is none."""
    for record in report.kernels:
        if record.index == kernel:
            return read_explained(record.explained)
    where = f" in {report.programs[0].name}" if report.programs else ""
    there = f"there are 0 to {len(report.kernels) - 1}" if report.kernels else "there is none"
    others = "; report.programs[n] has those of another program" if report.programs else ""
    raise LookupError(f"There is no kernel {kernel!r:.40}{where}; {there}{others}.")
