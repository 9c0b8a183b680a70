from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tests.benchmarks import machine
from tests.benchmarks.options import Options


def test_the_machine_is_described_even_if_its_probe_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "run_child", lambda *_, **__: {"error": "no torch", "wall": 1.0})
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    found = machine.describe(Options(tmp_path))
    assert found["machine"]["error"] == "no torch"
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory"] > 100_000_000
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["ipy_fastcompile"]
    assert found["environment"]["OMP_WAIT_POLICY"] == "passive"
    assert found["imports"] == {}


def test_a_program_that_is_missing_or_fails_says_nothing() -> None:
    assert machine._first_line("no-such-program-here") == ""
    assert machine._first_line("git", "no-such-command") == ""
