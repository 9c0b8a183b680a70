"""Two compiles side by side: what differs first is named first, kernels are matched by digest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.comparing.reports import compare_reports
from ipy_fastcompile.comparisons import CompileComparison
from ipy_fastcompile.errors import CallError
from ipy_fastcompile.explained import Explained, FusedGroup, PassRecord
from ipy_fastcompile.records import Report
from tests.unit.show.sample import sample_report

NAMES = ("before", "after")


def compared(a: Report, b: Report) -> CompileComparison:
    return compare_reports(a, b, NAMES)


def with_kernel(report: Report, index: int, **changes: object) -> Report:
    kernels = list(report.kernels)
    kernels[index] = replace(kernels[index], **changes)
    return replace(report, kernels=tuple(kernels))


@pytest.fixture(scope="module")
def report() -> Report:
    return sample_report(4)


def test_the_same_compile_twice_differs_in_nothing_but_times(report: Report) -> None:
    slower = replace(report, stages=tuple(replace(s, seconds=2 * s.seconds) for s in report.stages))
    found = compared(report, slower)
    assert found.first == ""
    assert found.is_equal
    assert ("cold", "17.1 s", "34.3 s") in found.times
    assert [(pair.a, pair.b, pair.same, pair.same_code) for pair in found.kernels] == [
        (0, 0, True, True), (1, 1, True, True), (2, 2, True, True),
    ]  # fmt: skip


def test_what_inductor_calls_a_graph_and_whether_one_was_saved_is_no_difference(
    report: Report,
) -> None:
    code = report.kernels[0].output_code
    a = with_kernel(report, 0, output_code=f"# AOT ID: ['0_inference']\n{code}")
    b = with_kernel(report, 0, output_code=f"# AOT ID: ['1_inference']\n{code}")
    assert compared(a, replace(b, artifact=None)).first == ""
    assert all(pair.same_code for pair in compared(a, b).kernels)


def test_a_setting_is_named_before_all_that_follows_from_it(report: Report) -> None:
    found = compared(report, replace(sample_report(5), torch="2.14.0"))
    assert found.first == "setting: torch: 2.13.0+cpu -> 2.14.0"
    assert ("submodules", "9", "11") in found.split


def test_a_split_is_named_by_the_first_submodule_that_differs(report: Report) -> None:
    subs = list(report.submodules)
    subs[3] = replace(subs[3], reason="a function of mine")
    found = compared(report, replace(report, submodules=tuple(subs)))
    assert found.first.startswith("split: submod_3: ")
    assert found.first.endswith("nodes, a function of mine")
    assert len(found.split) == 1


def test_kernels_are_matched_by_what_they_compute_and_then_by_where_they_run(
    report: Report,
) -> None:
    other = with_kernel(report, 1, digest="ee" * 32)
    found = compared(report, other)
    assert found.first == "kernel: kernel 1 of a and 1 of b compute other things"
    assert [(pair.a, pair.b, pair.same) for pair in found.kernels] == [
        (0, 0, True), (2, 2, True), (1, 1, False),
    ]  # fmt: skip
    fewer = replace(report, kernels=report.kernels[:2])
    assert compared(report, fewer).first == "kernel: kernel 2 is only in a"
    assert compared(fewer, report).first == "kernel: kernel 2 is only in b"


def test_what_inductor_wrote_in_another_way_is_a_diff(report: Report) -> None:
    text = report.kernels[0].output_code
    found = compared(report, with_kernel(report, 0, output_code=f"{text}\n# more"))
    assert found.first.startswith("code of kernels: Inductor wrote kernel 0 of a in another way")
    assert "+# more" in found.kernels[0].diff


def test_passes_and_fusions_are_compared_where_both_were_recorded(report: Report) -> None:
    one = Explained(
        passes=(PassRecord("post_grad_passes", "fuse", 0.1, True),),
        groups=(FusedGroup(("op0", "op1"), "cpp_fused_add_0"),),
    )
    other = replace(one, passes=(), groups=(FusedGroup(("op0",), "cpp_fused_add_0"),))
    a = with_kernel(report, 0, explained=one.packed())
    found = compared(a, with_kernel(report, 0, explained=other.packed()))
    assert found.inductor == (
        ("kernel 0: passes that changed it", "fuse", ""),
        ("kernel 0: fused", "cpp_fused_add_0: op0, op1", "cpp_fused_add_0: op0"),
    )
    assert found.first == "Inductor: kernel 0: passes that changed it: fuse -> nothing"
    assert compared(a, with_kernel(report, 0, explained="")).inductor == ()


def test_execution_code_is_compared_line_by_line(report: Report) -> None:
    found = compared(report, replace(report, execution_code=report.execution_code + "# end\n"))
    assert found.first == "execution code"
    assert found.code.splitlines()[-1] == "+# end"


def test_compiled_models_reports_and_files_are_compared_with_each_other(tmp_path: Path) -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x.sin() + 1.0

    def other(x: torch.Tensor) -> torch.Tensor:
        return x.sin() + 2.0

    x = torch.ones(2, 3)
    one, two = fc.compile(forward, (x,)), fc.compile(other, (x,))
    paths = [str(tmp_path / name) for name in ("a.fastcompile", "b.fastcompile")]
    one.save(paths[0])
    two.save(paths[1])
    for a, b in ((one, two), (one.report, two), (paths[0], two.report), (one, paths[1])):
        found = fc.compare(a, b)
        assert isinstance(found, CompileComparison)
        assert any("2.0" in pair.diff for pair in found.kernels)
    found = fc.compare(*paths)
    assert isinstance(found, CompileComparison)
    assert found.names == tuple(paths)
    assert found.files is not None
    assert not found.is_equal
    assert "Kernels, matched by what they compute" in str(found)
    assert fc.compare(paths[0], paths[0]).is_equal


def test_what_has_no_report_is_refused_by_argument() -> None:
    with pytest.raises(CallError, match="b is a int without a report"):
        fc.compare(sample_report(2), 3)
