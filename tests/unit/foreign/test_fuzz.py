"""Damaged files of every format: none hangs, none costs, and none ends in an error but ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.foreign_samples import FORMATS

pytestmark = pytest.mark.slow  # the samples are compiled

RECORDED = Path(__file__).parent / "recorded"
OTHERS = {
    "precompile eager source": RECORDED / "precompile" / "eager.py",
    "precompile eager cache": RECORDED / "precompile" / "eager.cache",
    "precompile source": RECORDED / "precompile" / "inductor.py",
    "precompile cache": RECORDED / "precompile" / "inductor.cache",
    "aot_compile of torch 2.15": RECORDED / "aot_compile_2_15",
    "vllm folder": RECORDED / "vllm",
    "vllm model": RECORDED / "vllm" / "rank_0_0" / "model",
}
COPIES = 500
SECONDS = 2.0
KILOBYTES = 200_000


@pytest.fixture(scope="module")
def outcomes(
    foreign_samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What became of 500 damaged copies of each sample, by the sample's name."""
    folder = tmp_path_factory.mktemp("fuzz")
    samples = [foreign_samples / name for name in FORMATS] + list(OTHERS.values())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.unit.foreign.fuzz_child", str(COPIES)),
            *(str(folder / "canary"), str(folder), *map(str, samples)),
        ],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert not (folder / "canary").exists()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip([*FORMATS, *OTHERS], lines, strict=True))


@pytest.mark.parametrize("name", [*FORMATS, *OTHERS])
def test_500_damaged_copies_end_in_records_or_in_our_errors(
    name: str, outcomes: dict[str, dict[str, Any]]
) -> None:
    found = outcomes[name]
    assert found["worst"] == ""
    assert sum(found["outcomes"].values()) == COPIES
    assert set(found["outcomes"]) <= {"record", "ForeignUnreadable"}
    assert found["outcomes"]["record"] > 0
    assert found["slowest"] < SECONDS
    assert found["kilobytes"] < KILOBYTES
