"""A graph -> `Explained`: what Inductor might have done to it, made up but consistent.

A linear becomes a transpose and a product, as a pass may make it; what is pointwise runs in loops,
two nests of which share a function, products are calls, and a view is no node.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ipy_fastcompile.explained import (
    DiffLine,
    Explained,
    FusedGroup,
    PassRecord,
    Refusal,
    ScheduledNode,
)
from ipy_fastcompile.records import GraphRecord, NodeRecord

QUIET = (
    ("pre_grad_passes", "fuse_chunk_reshape_unsqueeze_concat_pass"),
    ("joint_graph_passes", "constant_fold_uniform_value"),
    ("joint_graph_passes", "pass_patterns"),
    ("post_grad_passes", "remove_noop_ops"),
    ("post_grad_passes", "decompose_auto_functionalized"),
)
MISMATCH = "numel/rnumel mismatch (reduce): 64*s0, s0, 64, 1"
APART = "no shared data"
EXTERN = "node1 is extern or nop"


def sample_explained(graph: GraphRecord) -> Explained:
    """What is recorded of a graph."""
    computed = [n for n in graph.nodes if n.op == "call_function"]
    quiet = tuple(PassRecord(stage, name, 2e-5, changed=False) for stage, name in QUIET)
    changes = (
        PassRecord("joint_graph_passes", "mm_of_linear", 4e-4, True, tuple(_diff(computed))),
        PassRecord("post_grad_passes", "tests.my_pass", 1e-3, True, tuple(_diff(computed[3:])), 12),
    )
    nodes = tuple(_scheduled(computed))
    groups = tuple(_fused(nodes))
    return Explained(
        (*quiet[:3], changes[0], *quiet[3:], changes[1]),
        nodes,
        groups,
        tuple(_refusals(groups)),
        left_out=3,
    )


def _diff(nodes: Sequence[NodeRecord]) -> Iterator[DiffLine]:
    """The first linear of some nodes, written as a transpose and a product."""
    at = next((n for n, node in enumerate(nodes) if "linear" in node.target), 0)
    for node in nodes[max(at - 3, 0) : at]:
        yield DiffLine(" ", _line(node), node.source)
    node = nodes[at]
    yield DiffLine("-", _line(node), node.source)
    yield DiffLine("+", f"permute = aten.permute.default({node.inputs[-1]})", node.source)
    yield DiffLine("+", f"mm = aten.mm.default({node.inputs[0]}, permute)", node.source)
    for node in nodes[at + 1 : at + 4]:
        yield DiffLine(" ", _line(node), node.source)


def _line(node: NodeRecord) -> str:
    return f"{node.name} = {node.target}({node.arguments})"


def _scheduled(computed: Sequence[NodeRecord]) -> Iterator[ScheduledNode]:
    written = (node for node in computed if node.value is None or node.value.bytes != 0)
    for number, node in enumerate(written):
        is_call = "linear" in node.target or "embedding" in node.target
        yield ScheduledNode(
            f"op{number}",
            "extern" if is_call else "reduction" if "mean" in node.target else "pointwise",
            (f"buf{number}",),
            (node.name,),
            (node.name,),
            (node.target,),
            "float32[1, s0, 64]",
            "extern_kernels.mm" if is_call else "",
            node.source,
        )


def _fused(nodes: Sequence[ScheduledNode]) -> Iterator[FusedGroup]:
    """Loops of up to three nodes, two of which share a function; a call is one for itself."""
    loops: list[str] = []
    made = 0
    for node, after in pairwise((*nodes, None)):
        assert node is not None
        if node.call:
            yield FusedGroup((node.name,), node.call)
            continue
        loops.append(node.name)
        if len(loops) == 3 or after is None or after.call:
            yield FusedGroup(tuple(loops), f"cpp_fused_add_mul_{made // 2}")
            loops, made = [], made + 1


def _refusals(groups: Sequence[FusedGroup]) -> Iterator[Refusal]:
    """Of groups that follow each other, but of every fourth two none is recorded."""
    for number, (one, other) in enumerate(pairwise(groups)):
        if number % 4 == 3:
            continue
        if one.kernel.startswith("extern"):
            yield Refusal(one.nodes, other.nodes, EXTERN)
            continue
        # Asked of their parts first, as the scheduler does, and then the other way round.
        yield Refusal(one.nodes[:1], other.nodes[:1], APART)
        yield Refusal(other.nodes, one.nodes, MISMATCH)
