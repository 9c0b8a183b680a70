"""What a GPU's autotuning tried is kept beside what it chose; by stand-ins, as there is none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ipy_fastcompile.engine.kernels.explain import tunings_of
from ipy_fastcompile.explained import Explained, TriedRecord, Tuning, read_explained
from ipy_fastcompile.show.explained import tuning_lines
from ipy_fastcompile.torch_compat.launches import CudaLaunch, TriedConfiguration, _watched_tuning

SMALL, LARGE, SPILLS = "XBLOCK: 128, num_warps: 4", "XBLOCK: 512, num_warps: 8", "XBLOCK: 4096"
TRIED = (
    TriedConfiguration(SMALL, 12e-6, 24, 0),
    TriedConfiguration(LARGE, 9e-6, 40, 2),
    TriedConfiguration(SPILLS, None, 255, 96),
)


class Launcher:
    """What the autotuner has for each configuration; its timings are by these."""

    def __init__(self, tried: TriedConfiguration) -> None:
        self.config, self.n_regs, self.n_spills = tried.configuration, tried.registers, tried.spills


def launch(**changes: Any) -> CudaLaunch:
    made = CudaLaunch(
        name="triton_poi_fused_0", symbol="s", cubin=b"", parameters=(), passed=(),
        argument_types="", scratch_arguments=0, num_warps=4, shared=0, grid_setup=(),
        grid=("1", "1", "1"), device=0, chosen=LARGE,
    )  # fmt: skip
    return replace(made, **changes)


def test_what_is_timed_is_noted_with_its_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.runtime.triton_heuristics import CachingAutotuner

    def timings(self: Any) -> dict[Any, float]:
        milliseconds = (0.012, 0.009, float("inf"))
        return dict(zip(map(Launcher, TRIED), milliseconds, strict=True))

    monkeypatch.setattr(CachingAutotuner, "benchmark_all_configs", timings)
    tried: dict[str, Any] = {}
    tuner: Any = SimpleNamespace(inductor_meta={"kernel_name": "triton_poi_fused_0"})
    with _watched_tuning(tried):
        assert len(CachingAutotuner.benchmark_all_configs(tuner)) == 3
    assert CachingAutotuner.benchmark_all_configs is timings
    (noted,) = tried.values()
    assert [each[::2] for each in noted] == [each[::2] for each in TRIED]
    assert [each.seconds for each in noted] == pytest.approx([12e-6, 9e-6, None])


def test_it_is_kept_with_what_was_recorded_of_the_kernel() -> None:
    (found,) = tunings_of(
        {"triton_poi_fused_0": launch(), "other": "other has no launch"},
        {"triton_poi_fused_0": TRIED, "other": TRIED},
    )
    assert found == Tuning("triton_poi_fused_0", LARGE, tuple(TriedRecord(*t) for t in TRIED))
    explained = Explained(tunings=(found,))
    assert read_explained(explained.packed()) == explained


def test_the_fastest_comes_first_and_the_chosen_one_is_marked() -> None:
    (found,) = tunings_of({"k": launch()}, {"k": TRIED})
    assert tuning_lines(found) == [
        f"chosen: 9 µs, 40 registers, 2 spilled, {LARGE}",
        f"tried: 12 µs, 24 registers, none spilled, {SMALL}",
        f"tried: not timed, 255 registers, 96 spilled, {SPILLS}",
    ]
    (single,) = tunings_of({"k": launch(chosen=SMALL)}, {})
    assert tuning_lines(single) == [f"chosen: not timed, registers not recorded, {SMALL}"]
