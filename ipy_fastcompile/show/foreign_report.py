"""A `ForeignArtifact` -> a `Report`, so that the explorer shows it as it shows our own.

A *piece* is one text that holds kernels: Inductor's output code, or the C++ of an AOTInductor
package. Pieces whose kernels compute the same are twins, and share a kernel here. Of times
and bytes in memory nothing is known: they are 0 in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foreign.main_code import main_code
from ..foreign.records import GRAPH, KERNEL, OUTPUT, ForeignArtifact, ForeignKernel, ForeignText
from ..records import (
    ArtifactRecord,
    BinaryRecord,
    GraphRecord,
    KernelRecord,
    KernelSource,
    Report,
    SubmoduleRecord,
    Value,
)
from .units import shorten

if TYPE_CHECKING:
    from .explorer import Explorer

_OUTPUT_END = "output code"
_MOST_PIECES = 1_000
_LABEL = 20  # fits a box of the split graph
_MOST_UNREAD = 20


def explore(artifact: ForeignArtifact) -> Explorer:
    """The explorer widget on it."""
    from .explorer import Explorer  # not for whoever has no notebook

    return Explorer(as_report(artifact))


def as_report(artifact: ForeignArtifact) -> Report:
    """What is known of the artifact, as a report."""
    kernels: list[KernelRecord] = []
    graphs: list[GraphRecord] = []
    submodules: list[SubmoduleRecord] = []
    of_kernels: dict[tuple[str, ...], int] = {}
    of_graphs: dict[str, int] = {}
    for number, (text, inside) in enumerate(_pieces(artifact)):
        graph = _graph_of(artifact, text)
        if graph not in of_graphs:
            of_graphs[graph] = len(graphs)
            graphs.append(GraphRecord(len(graphs), "", (), graph))
        digests = tuple(kernel.digest for kernel in inside)
        if digests not in of_kernels:
            of_kernels[digests] = len(kernels)
            kernels.append(_kernel(artifact, len(kernels), text, inside, graph))
        submodules.append(
            SubmoduleRecord(
                index=number,
                name=f"piece_{number}",
                inlined=False,
                reason=f"a compiled graph of its own: {text.name}",
                module=_short(text.name),
                graph=of_graphs[graph],
                kernel=of_kernels[digests],
                n_nodes=graph.count(" = torch.ops."),
                inputs=(),
                outputs=(),
                lines=(1, 1),
            )
        )
    stamps = ", ".join(f"{name} {text}" for name, text in artifact.stamps)
    given = [v for v in artifact.values if v.kind in ("parameter", "buffer")]
    missed = [f"not read: {u.where}: {u.why}" for u in artifact.unread[:_MOST_UNREAD]]
    code, language = main_code(artifact)
    return Report(
        model=artifact.format,
        created=artifact.version,
        torch=dict(artifact.stamps).get("torch", "not said"),
        machine=stamps or "not said",
        stages=(),
        symbols=(),
        inputs=tuple(_value(v.name, v.detail) for v in artifact.values if v.kind == "input"),
        outputs=tuple(_value(v.name, v.detail) for v in artifact.values if v.kind == "output"),
        n_nodes=sum(submodule.n_nodes for submodule in submodules),
        n_parameters=len(given),
        parameter_bytes=0,
        submodules=tuple(submodules),
        graphs=tuple(graphs),
        kernels=tuple(kernels),
        execution_code=code or "# This file has no code that can be read.\n",
        execution_language=language,
        lines=(),
        artifact=ArtifactRecord(
            artifact.path, f"sha256:{artifact.sha256}", artifact.size, 0, signed=False
        ),
        notes=(artifact.loads_by, *(f"{name}: {text}" for name, text in artifact.facts), *missed),
    )


def _pieces(artifact: ForeignArtifact) -> list[tuple[ForeignText, list[ForeignKernel]]]:
    """Every text that kernels are in, with them."""
    inside: dict[str, list[ForeignKernel]] = {}
    for kernel in artifact.kernels:
        inside.setdefault(kernel.where, []).append(kernel)
    held = [text for text in artifact.texts if text.name in inside or text.role == OUTPUT]
    return [(text, inside.get(text.name, [])) for text in held[:_MOST_PIECES]]


def _short(name: str) -> str:
    """The name of a file or text without its folders and suffixes, which are no modules."""
    return shorten(name.rpartition("/")[2].partition(".")[0], _LABEL)


def _graph_of(artifact: ForeignArtifact, text: ForeignText) -> str:
    """The graph beside an output code: the post-grad one, else any that has its label."""
    graphs = [other for other in artifact.texts if other.role == GRAPH]
    if text.name.endswith(_OUTPUT_END):
        label = text.name.removesuffix(_OUTPUT_END)
        own = [other for other in graphs if other.name.startswith(label)]
        own.sort(key=lambda other: "post-grad" not in other.name)
        if own:
            return own[0].text
    return graphs[0].text if len(graphs) == 1 else ""


def _kernel(
    artifact: ForeignArtifact,
    number: int,
    text: ForeignText,
    inside: list[ForeignKernel],
    graph: str,
) -> KernelRecord:
    binaries = [b for b in artifact.binaries if b.kind.startswith("machine code")]
    return KernelRecord(
        index=number,
        digest=inside[0].digest if inside else "",
        submodules=(),
        native=text.role == KERNEL,
        why="somebody else's: it is read, not loaded",
        output_code=text.text,
        aten_graph=graph,
        native_code="",
        sources=tuple(KernelSource(k.name, k.language, k.text) for k in inside),
        binaries=tuple(BinaryRecord(b.name, b.sha256, b.size) for b in binaries[:50]),
        ops=(),
        size=0,
        seconds=0.0,
    )


def _value(name: str, detail: str) -> Value:
    return Value(name, "other", text=detail)
