"""Plain data that crosses a boundary: frozen dataclasses, no torch, no IPython.

A `Report` is all that `show/` and `notebook/` ever see of a compile: everything in it is text,
numbers and tuples of them, so it goes to JSON and back without loss (`to_json`, `from_json`).
"""

from __future__ import annotations

import json
import os
from dataclasses import replace

from .data import from_data, to_data
from .explains import Explains
from .frozen import frozen
from .timings import EagerRecord, ProfileRecord
from .views import view_of

# A size: an int, or an expression over symbolic sizes such as "seq" or "64*seq".
Size = int | str


@frozen
class Value:
    """What a node yields, as far as it is known without running it.

    ``shape`` and ``stride`` count elements; each entry is an int or an expression over the
    symbolic sizes. ``bytes`` is the size of the value's own storage in bytes (0 for a view and
    for numbers), as an int or an expression; ``example_bytes`` the same at the example sizes.
    """

    name: str
    kind: str  # "tensor" | "int" | "float" | "bool" | "str" | "none" | "other"
    dtype: str = ""
    shape: tuple[Size, ...] = ()
    stride: tuple[Size, ...] = ()
    device: str = ""
    bytes: Size = 0
    example_bytes: int = 0
    text: str = ""  # for everything but tensors: the value or the expression


@frozen
class Source:
    """A line of the user's model."""

    file: str
    line: int
    function: str = ""
    text: str = ""


@frozen
class NodeRecord:
    """One node of an FX graph. ``inputs`` are the names of the nodes it reads."""

    name: str
    op: str  # "placeholder" | "call_function" | "get_attr" | "output"
    target: str  # "aten.mm.default", or the placeholder's name
    arguments: str = ""
    inputs: tuple[str, ...] = ()
    value: Value | None = None
    source: Source | None = None
    module: str = ""  # "model.layers.3.mlp", empty at the top


@frozen
class GraphRecord:
    """An FX graph; twins share one, written with the names of the first of them."""

    index: int
    digest: str
    nodes: tuple[NodeRecord, ...]
    code: str  # the FX code, as Python


# In the reason of a submodule that Inductor could not compile, before what it said.
NOT_COMPILED = "; not compiled: "


@frozen
class SubmoduleRecord:
    """One call in the stitching graph.

    ``reason`` says why the boundary before it exists. ``inlined`` submodules run as plain FX code
    inside the execution code; every other one runs a kernel, which its twins share.
    """

    index: int
    name: str  # "submod_7"
    inlined: bool
    reason: str
    module: str  # "model.layers.3", the innermost module that holds all of its nodes
    graph: int
    kernel: int | None
    n_nodes: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    lines: tuple[int, int]  # first and last line of its call in the execution code, from 1
    seconds: float | None = None  # median time of one call, once profiled


@frozen
class KernelSource:
    """One C++ or Triton kernel inside a kernel's output code."""

    name: str
    language: str  # "cpp" | "python"
    text: str


@frozen
class BinaryRecord:
    """A native binary bundled in the artifact. ``size`` in bytes."""

    name: str
    sha256: str
    size: int


@frozen
class NearTwin:
    """An earlier kernel with the same ops, and what kept the two apart; `str` says it in words.

    ``submodule`` is the first that runs the earlier kernel. ``node`` is the first node that
    differs, ``own`` what stands in its line, ``other`` what stands there in the earlier one.
    """

    kernel: int
    submodule: int
    node: str
    own: str
    other: str

    def __str__(self) -> str:
        return (
            f"same ops as kernel {self.kernel} (submod_{self.submodule}), but node {self.node}: "
            f"{self.own} instead of {self.other}."
        )


@frozen
class KernelRecord:
    """A kernel: the compiled form of one or several submodules (twins).

    ``native`` says whether the native path runs it from bundled binaries alone; if not, ``why``
    names the obstacle and the `torch` loader is used. ``near_twin`` says, of a kernel that
    has the same ops as another one, what kept them apart.
    """

    index: int
    digest: str
    submodules: tuple[int, ...]
    native: bool
    why: str
    output_code: str
    aten_graph: str
    native_code: str
    sources: tuple[KernelSource, ...]
    binaries: tuple[BinaryRecord, ...]
    ops: tuple[str, ...]  # ops called from its code, "aten::mm.out"
    size: int  # bytes in the artifact that no other kernel needs
    seconds: float  # time to compile
    near_twin: NearTwin | None = None
    # Inductor output code line (from 1) -> the user's source line
    output_lines: tuple[tuple[int, Source], ...] = ()
    explained: str = ""  # what `explained.read_explained` reads: passes and fusions


@frozen
class LineRecord:
    """What one line of the execution code does. Bytes are at the example sizes."""

    line: int  # from 1
    kind: str  # "call" | "del" | "return" | "check" | "inline" | "size" | "rest" | "other"
    submodule: int | None = None
    node: str = ""
    source: Source | None = None
    live_bytes: int = 0  # bytes of intermediate values alive after this line
    live: str = ""  # the same as an expression over the symbolic sizes
    frees: tuple[str, ...] = ()
    freed_bytes: int = 0
    is_peak: bool = False
    seconds: float | None = None  # median, once profiled
    peak_bytes: int = 0  # most bytes alive while the line runs, those inside its kernel included


@frozen
class Progress:
    """How far a cold compile has come: ``done`` of ``total`` steps of a stage."""

    stage: str  # "capture" | "split" | "lower" | "codegen" | "pack"
    done: int
    total: int
    detail: str = ""  # what is being worked on, "kernel 2 of 3"
    program: str = ""  # of several: its name
    before: int = 0  # the programs that were compiled before this one
    programs: int = 1  # all of them, as far as is known: one may turn out to be several


@frozen
class StageRecord:
    """A stage of the cold compile. ``seconds`` is wall time."""

    name: str  # "capture" | "split" | "lower" | "codegen" | "pack"
    seconds: float
    detail: str = ""


@frozen
class ReloadRecord:
    """One reload path, measured in fresh processes; seconds, medians over ``runs``."""

    path: str  # "native" | "torch" | "fx"
    runs: int
    stages: tuple[tuple[str, float], ...]  # in order; "import torch" first
    load: float  # everything after `import torch` until the callable is there
    first_call: float
    call: float  # steady state
    shipped: bool = False  # no compiler on PATH, empty Inductor cache directory
    error: str = ""  # what the process said, when it failed
    note: str = ""
    measured: str = ""  # when, ISO 8601
    machine: str = ""  # where, as in `Report.machine`


@frozen
class Standing:
    """How far a race of the reload paths has come: ``done`` of about ``total`` processes.

    ``reloads`` are those of the paths that a process has loaded along so far.
    """

    state: str  # "running" | "done" | "stopped" | "failed"
    reloads: tuple[ReloadRecord, ...] = ()
    done: int = 0
    total: int = 0
    now: str = ""  # the path that runs
    shipped: bool = False
    problem: str = ""  # why it ended before its time
    detail: str = ""  # a traceback


@frozen
class Symbol:
    """A symbolic size: its name, and the range it was compiled for (``max`` None: unbounded)."""

    name: str
    min: int
    max: int | None
    example: int
    why: str = ""  # where ``min`` comes from
    source: Source | None = None  # the line of the model that it comes from, where one is known


@frozen
class ConditionRecord:
    """A condition on symbolic sizes that every call is checked for, beside their ranges.

    ``words`` say what must be ("seq is a multiple of 4"), ``sizes`` are the names it is about,
    ``source`` the line of the model that needs it, where that is known.
    """

    words: str
    sizes: tuple[str, ...]
    source: Source | None = None


@frozen
class FixedSize:
    """A size that was asked to vary where it can, and that every call must have.

    ``paths`` are the tensors that have it at dimension ``dim``, or the whole numbers that are it
    (``dim`` None); ``why`` in words; ``source`` the line of the model that fixed it, where that is
    known.
    """

    paths: tuple[str, ...]
    dim: int | None
    size: int
    why: str
    source: Source | None = None


@frozen
class ArtifactRecord:
    """The saved file: sizes in bytes."""

    path: str
    digest: str  # "sha256:..."
    size: int
    fx_size: int
    signed: bool


@frozen
class Report(Explains):
    """Everything a compile has to tell, as plain data.

    Where one artifact holds several programs, ``programs`` has the report of each, the first
    included. The outer report then tells what belongs to the whole: stages, artifact, reloads, key,
    cache, alarms and the worst ``max_error``; all else in it is the first program's. For a single
    program ``programs`` is empty, and so is ``name``.
    """

    model: str
    created: str  # ISO 8601
    torch: str
    machine: str
    stages: tuple[StageRecord, ...]
    symbols: tuple[Symbol, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    n_nodes: int
    n_parameters: int  # parameters and buffers
    parameter_bytes: int
    submodules: tuple[SubmoduleRecord, ...]
    graphs: tuple[GraphRecord, ...]
    kernels: tuple[KernelRecord, ...]
    execution_code: str
    lines: tuple[LineRecord, ...]
    key: str = ""
    cache: str = ""  # "hit", "miss", or empty when no cache was asked
    why_miss: tuple[str, ...] = ()  # in a few lines
    miss_details: tuple[str, ...] = ()  # all that differs from the nearest entry, if that is more
    artifact: ArtifactRecord | None = None
    max_error: float | None = None  # largest absolute difference from eager, over all outputs
    tolerance: str = ""  # what that error may be: "0.001 of the largest value, as for float32"
    difference: str = ""  # in words, what is beyond the tolerance; the compile is not to be used
    reloads: tuple[ReloadRecord, ...] = ()
    notes: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()  # what to know before anything else, the most serious first
    predicted_peak: int | None = None  # bytes of intermediates at the example sizes
    measured_peak: int | None = None
    profile: ProfileRecord | None = None
    eager: EagerRecord | None = None  # the call beside eager's; None where it was not timed
    conditions: tuple[ConditionRecord, ...] = ()
    fixed: tuple[FixedSize, ...] = ()  # what might have varied and does not
    execution_language: str = "python"  # "cpp" where it is not ours: AOTInductor's
    name: str = ""  # of the program, "call_0"
    programs: tuple[Report, ...] = ()

    @property
    def cold_seconds(self) -> float:
        """Wall time of the whole cold compile."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def warm_seconds(self) -> float | None:
        """Load time along the native path in a fresh process, or None where it was not measured."""
        for reload in self.reloads:
            if reload.path == "native" and not reload.shipped and not reload.error:
                return reload.load
        return None

    def __repr__(self) -> str:
        line: str = view_of("Report.__repr__")(self)
        return f"<Report: {line}>"

    def __str__(self) -> str:
        text: str = view_of("Report.__str__")(self)
        return text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("Report._repr_mimebundle_")(self)
        return bundle

    def with_reloads(self, records: tuple[ReloadRecord, ...]) -> Report:
        """The report with these records for those of their kind, as shipped or not."""
        kinds = {record.shipped for record in records}
        kept = tuple(record for record in self.reloads if record.shipped not in kinds)
        return replace(self, reloads=(*kept, *records))

    def to_json(self) -> str:
        """The report as JSON text; `Report.from_json` gives an equal report back."""
        return json.dumps(to_data(self), ensure_ascii=False)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one HTML file that needs no network."""
        view_of("Report.to_html")(self, path)

    @staticmethod
    def from_json(text: str | bytes) -> Report:
        """The report that `to_json` wrote. Raises ValueError when the text is something else."""
        report: Report = from_data(Report, json.loads(text))
        return report
