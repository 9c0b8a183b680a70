"""A profile times every line beside the code that normally runs, and measures the peak."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine.graph.boundaries import SplitReason
from ipy_fastcompile.records import Report
from ipy_fastcompile.runtime import profile
from ipy_fastcompile.runtime.bind import ExecutionParts

TEXT = '''"""Text."""

import torch


def check_inputs(check, x):
    """Checks."""
    check.size('x', 0, x.size(0), 4)
    return (x,)


def inlined_0(x):
    relu = torch.ops.aten.relu.default(x)
    return (relu,)


def bind(kernels, parameters, constants):
    """Binds."""
    (kernel_0,) = kernels

    def forward(x):
        # submod_0
        (a,) = kernel_0(x)
        (b,) = inlined_0(a)
        del a
        return (b,)

    return forward
'''
MARKED = (8, 13, 23, 24, 25)


def test_marks_stand_after_lines_and_at_the_start_of_functions() -> None:
    lines = profile.add_marks(TEXT, MARKED).splitlines()
    marks = [line for line in lines if "mark(" in line]
    assert marks == [
        "    mark(6)",
        "    mark(8)",
        "    mark(12)",
        "    mark(13)",
        "        mark(21)",
        "        mark(23)",
        "        mark(24)",
        "        mark(25)",
    ]
    assert [line for line in lines if "mark(" not in line] == TEXT.splitlines()


def test_the_mark_of_a_statement_on_several_lines_stands_behind_it_with_its_first_line() -> None:
    wrapped = TEXT.replace(
        "(a,) = kernel_0(x)", "(a,) = kernel_0(  # model.py:1\n            x,\n        )"
    )
    wrapped = wrapped.replace("def forward(x):", "def forward(\n        x,\n    ):")
    lines = profile.add_marks(wrapped, [25, 28]).splitlines()
    assert lines[23:36] == [
        "        x,",
        "    ):",
        "        # submod_0",
        "        mark(21)",
        "        (a,) = kernel_0(  # model.py:1",
        "            x,",
        "        )",
        "        mark(25)",
        "        (b,) = inlined_0(a)",
        "        mark(28)",
        "        del a",
        "        return (b,)",
        "",
    ]


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mark_costs: int) -> None:
        self.now = 0
        self.mark_costs = mark_costs
        monkeypatch.setattr(profile, "perf_counter_ns", self.read)

    def read(self) -> int:
        self.now += self.mark_costs
        return self.now


def test_the_time_of_a_line_is_its_own_without_the_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, mark_costs=100)

    def kernel(x: torch.Tensor) -> Any:
        clock.now += 7000
        return (x,)

    parts = ExecutionParts((kernel,), (), ())
    times = profile.measure_lines(TEXT, MARKED, parts, [torch.ones(4)], runs=5)
    assert times.overhead == pytest.approx(100e-9)
    assert times.lines[23] == pytest.approx(7000e-9)
    for line in (8, 13, 24, 25):
        assert times.lines[line] == pytest.approx(0.0)
    assert set(times.lines) == set(MARKED)
    assert times.call == pytest.approx(7100e-9)  # the whole call has a mark on either side
    assert times.runs == 5


def test_a_median_is_not_moved_by_one_slow_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, mark_costs=10)
    calls = iter(range(100))

    def kernel(x: torch.Tensor) -> Any:
        clock.now += 1_000_000 if next(calls) in (0, 1, 2, 5) else 500  # warm-up, and one more
        return (x,)

    parts = ExecutionParts((kernel,), (), ())
    times = profile.measure_lines(TEXT, MARKED, parts, [torch.ones(4)], runs=5)
    assert times.lines[23] == pytest.approx(500e-9)


def test_the_peak_counts_what_is_alive_at_a_time() -> None:
    def call() -> Any:
        a = torch.zeros(1000)
        b = a + 1  # 8,000 bytes
        del a
        c = b.double()  # 4,000 and 8,000 bytes
        del b
        return c.float()  # 8,000 and 4,000 bytes

    peak = profile.measure_peak(call)
    assert 12_000 <= peak <= 12_000 + 64  # scalars of eager ops are tensors, too


# --- a compiled model ----------------------------------------------------------------------------


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        x.mul_(2)
        y = torch.cat([x, x]).sin()
        return y[: x.shape[0]] + 1


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return Counts().eval()


@pytest.fixture(scope="module")
def compiled(model: nn.Module) -> Any:
    dynamic = {"x": {0: ("rows", 2, 1000)}}
    return fc.compile(
        model, (torch.ones(8, 16),), dynamic=dynamic, split_at=lambda _: SplitReason("test")
    )


def test_a_profile_fills_lines_submodules_and_peaks(compiled: Any) -> None:
    before = compiled.report
    report = compiled.profile(torch.ones(100, 16), runs=5)
    assert report is compiled.report
    assert before.measured_peak is None
    texts = report.execution_code.splitlines()
    for line in report.lines:
        timed = line.kind in ("call", "del", "check") or (line.kind == "inline" and line.node)
        assert (line.seconds is not None) == bool(timed or line.kind == "inline"), texts[
            line.line - 1
        ]
        assert line.seconds is None or line.seconds >= 0
    assert all(sub.seconds is not None for sub in report.submodules)
    profiled = report.profile
    assert profiled is not None
    assert profiled.sizes == (("rows", 100),)
    assert (profiled.runs, profiled.warm_up) == (5, 3)
    assert 0 < profiled.overhead < profiled.call
    assert report.measured_peak == profiled.measured_peak
    assert profiled.measured_peak == pytest.approx(profiled.predicted_peak, rel=0.1)
    assert report.predicted_peak == before.predicted_peak  # at the example's sizes
    assert Report.from_json(report.to_json()) == report


def test_a_profile_has_every_submodule_that_runs_a_kernel_beside_eager(compiled: Any) -> None:
    report = compiled.profile(torch.ones(100, 16), runs=5)
    beside = report.profile.submodules
    kernels = [sub.index for sub in report.submodules if sub.kernel is not None]
    assert [one.submodule for one in beside] == kernels
    for one in beside:
        assert 0 < one.compiled.low <= one.compiled.median <= one.compiled.high
        assert one.eager.median > 0
        assert one.compiled_peak > 0
        assert one.eager_peak > 0
    assert report.eager.runs == 5
    assert report.eager.compiled.median > 0
    # Two halves of 100 rows of 16 numbers, their sines, and one of them plus 1.
    assert report.profile.eager_peak >= 2 * 100 * 16 * 4


def test_a_profile_leaves_model_and_arguments_as_they_were(compiled: Any, model: Any) -> None:
    x = torch.ones(4, 16)
    calls = model.calls.item()
    compiled.profile(x, runs=2)
    assert model.calls.item() == calls
    assert torch.equal(x, torch.ones(4, 16))


def test_a_profile_changes_nothing_of_what_normally_runs(compiled: Any) -> None:
    text, forward = compiled.execution_code, compiled.function.flat.follower().functions.forward
    compiled.profile(runs=1)  # the example call
    assert compiled.report.profile.sizes == (("rows", 8),)
    assert compiled.execution_code == text
    assert compiled.function.flat.follower().functions.forward is forward
    assert not re.search(r"\bmark\b", text)
    assert "mark" not in forward.__code__.co_names


def test_a_call_that_does_not_fit_is_refused(compiled: Any) -> None:
    with pytest.raises(fc.errors.InputError, match="Argument x has dtype"):
        compiled.profile(torch.ones(8, 16, dtype=torch.int64))
