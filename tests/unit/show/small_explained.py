"""A kernel of five scheduled nodes, and what Inductor did to it: every answer in it is known.

A row's sum is divided by, the quotient is read in columns, a product is called for, and its
result is rectified in place; what a model does not use takes part in none of it.
"""

from __future__ import annotations

import dataclasses

from ipy_fastcompile.explained import (
    DiffLine,
    Explained,
    FusedGroup,
    PassRecord,
    Refusal,
    ScheduledNode,
)
from ipy_fastcompile.records import Report, Source

DEPS = "memory deps did not match"
EXTERN = "node1 is extern or nop"

_OUTPUT_CODE = """
def call(args):
    buf0 = empty_strided_cpu((16, ), (1, ), torch.float32)
    buf1 = empty_strided_cpu((16, 8), (8, 1), torch.float32)
    cpp_fused_div_sum_0(arg0_1, buf0, buf1)
    buf3 = empty_strided_cpu((8, 8), (8, 1), torch.float32)
    extern_kernels.mm(buf2, arg1_1, out=buf3)
    buf4 = buf3; del buf3  # reuse
    cpp_fused_relu_1(buf4)
    return (buf4, )
"""
_SOURCES = """
extern "C" void kernel(float* in_out_ptr0)
"""


def _source(line: int, text: str) -> Source:
    return Source("/models/rows.py", line, "forward", text)


SUM = _source(7, "total = x.sum(1, keepdim=True)")
DIV = _source(8, "share = x / total")
TURN = _source(9, "turned = share.t() + 1")
PRODUCT = _source(10, "return torch.relu(turned @ self.weight)")

SMALL = Explained(
    passes=(
        PassRecord("pre_grad_passes", "group_batch_fusion_passes", 1e-5, False),
        PassRecord(
            "joint_graph_passes",
            "pass_pattern_0",
            4e-4,
            True,
            (
                DiffLine(" ", "x: float32[16, 8]"),
                DiffLine("-", "mul: float32[16, 8] = aten.mul.Tensor(x, 1)", SUM),
                DiffLine("-", "sum_1: float32[16, 1] = aten.sum.dim_IntList(mul, [1], True)", SUM),
                DiffLine("+", "sum_1: float32[16, 1] = aten.sum.dim_IntList(x, [1], True)", SUM),
                DiffLine(" ", "div: float32[16, 8] = aten.div.Tensor(x, sum_1)", DIV),
            ),
            3,
        ),
        PassRecord("post_grad_passes", "remove_noop_ops", 1e-5, False),
        PassRecord("post_grad_passes", "remove_noop_ops", 1e-5, False),
        PassRecord("post_grad_passes", "stable_sort", 2e-5, False),
    ),
    nodes=(
        ScheduledNode(
            *("op0", "reduction", ("buf0",), ("sum_1",), ("sum_2",), ("aten.sum.dim_IntList",)),
            value="float32[16]",
            source=SUM,
        ),
        ScheduledNode(
            *("op1", "pointwise", ("buf1",), ("div",), ("div",), ("aten.div.Tensor",)),
            value="float32[16, 8]",
            source=DIV,
        ),
        ScheduledNode(
            *(
                "op2",
                "pointwise",
                ("buf2",),
                ("t", "add"),
                ("permute", "add"),
                ("aten.add.Tensor",),
            ),
            value="float32[8, 16]",
            source=TURN,
        ),
        ScheduledNode(
            *("op3", "extern", ("buf3",), ("matmul",), ("mm",), ("aten.mm.default",)),
            value="float32[8, 8]",
            call="extern_kernels.mm",
            source=PRODUCT,
        ),
        ScheduledNode(
            *("op4", "pointwise", ("buf4",), ("relu",), ("relu",), ("aten.relu.default",)),
            value="float32[8, 8]",
            source=PRODUCT,
        ),
    ),
    groups=(
        FusedGroup(("op0", "op1"), "cpp_fused_div_sum_0"),
        FusedGroup(("op2",), "cpp_fused_div_sum_0"),
        FusedGroup(("op3",), "extern_kernels.mm"),
        FusedGroup(("op4",), "cpp_fused_relu_1"),
    ),
    refusals=(
        Refusal(("op1",), ("op2",), "will create cycle"),
        Refusal(("op0", "op1"), ("op2",), DEPS),
        Refusal(("op3",), ("op4",), EXTERN),
    ),
    left_out=2,
)


def with_small(report: Report) -> Report:
    """The report, whose first kernel is the small one."""
    first, *others = report.kernels
    source = dataclasses.replace(first.sources[0], name="cpp_fused_relu_1", text=_SOURCES)
    small = dataclasses.replace(
        first, explained=SMALL.packed(), output_code=_OUTPUT_CODE, sources=(source,)
    )
    return dataclasses.replace(report, kernels=(small, *others))
