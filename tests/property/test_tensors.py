"""Random weights and inputs: right, or one of our errors, and never the end of the process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.children.environment import child_environment
from tests.property.tensor_changes import CHANGES, MADE, Mixed

pytestmark = pytest.mark.slow
DRAWS, BATCH = 500, 125


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    file = tmp_path_factory.mktemp("tensors") / "mixed.fastcompile"
    fc.compile(Mixed().eval(), (torch.randn(8, 8), torch.randn(8, 8))).save(file)
    return file


def run(first: int, last: int, path: Path) -> tuple[list[str], int | None, int]:
    """What was said of each draw; the one in which the process ended, and its exit status."""
    child = [sys.executable, "-m", "tests.property.tensor_changes", str(first), str(last)]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [*child, str(path)], capture_output=True, text=True, check=False, cwd=root,
        env=child_environment(None), timeout=500,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = [verdict for _, verdict in lines if verdict != "begun"]
    unfinished = lines[-1][0] if lines and lines[-1][1] == "begun" else None
    assert lines, done.stderr[-2000:]
    return verdicts, unfinished, done.returncode


def test_there_are_many_ways_for_a_tensor_to_change() -> None:
    assert len(MADE) >= 25
    assert len(CHANGES) >= 75


def test_any_change_is_right_or_refused_and_kills_nothing(path: Path) -> None:
    seen: Counter[str] = Counter()
    wrong = []
    for first in range(0, DRAWS, BATCH):
        verdicts, unfinished, status = run(first, first + BATCH, path)
        if unfinished is not None or status:
            wrong.append(f"draw {unfinished} ended the process with {status}")
        seen.update("right" if v == "=" else "refused" for v in verdicts if v in ("=", ""))
        wrong += [verdict for verdict in verdicts if verdict not in ("=", "")]
    assert not wrong, "\n".join(wrong)
    assert seen["right"] > DRAWS / 10
    assert seen["refused"] > DRAWS / 4
