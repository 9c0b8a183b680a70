"""The second process: found by name, no import of ours, no compiler, and the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ipy_fastcompile as fc

pytestmark = pytest.mark.slow

_CHILD = """
import sys
import torch

torch.manual_seed(0)
layer = torch.nn.Linear(8, 8)

def model(x):
    y = layer(x).relu()
    print("between")
    return y.sum(0) * x.shape[0]

options = {"store": sys.argv[1], "assert_warm": sys.argv[2] == "warm"}
compiled = torch.compile(model, backend="fastcompile", options=options)
with torch.no_grad():
    for rows in (3, 5):
        x = torch.randn(rows, 8)
        assert torch.allclose(compiled(x), model(x), atol=1e-5)

import ipy_fastcompile as fc

print([(graph.runs, graph.report.cache) for graph in fc.graphs()])
"""


def _run(store: Path, how: str, installed: Path, **environment: str) -> str:
    path = os.pathsep.join([str(installed), str(Path(fc.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(store), how],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_second_process_loads_every_graph_without_a_compiler(
    tmp_path: Path, entry_point: Path
) -> None:
    store, nothing = tmp_path / "store", tmp_path / "nothing"
    nothing.mkdir()
    assert _run(store, "cold", entry_point) == str([("program", "miss")] * 4)
    found = _run(
        store, "warm", entry_point, PATH=str(nothing), TORCHINDUCTOR_CACHE_DIR=str(nothing)
    )
    assert found == str([("program", "hit")] * 4)
