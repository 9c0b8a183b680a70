from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ipy_fastcompile.demo import verdict


@pytest.mark.parametrize(
    ("error", "errors", "code"),
    [
        (2.7e-7, ["", "", ""], 0),
        (1e-4, [""], 1),
        (float("nan"), [""], 1),
        (None, [""], 1),
        (0.0, ["", "InvalidCxxCompiler"], 1),
    ],
)
def test_the_verdict(error: float | None, errors: list[str], code: int) -> None:
    assert verdict(error, errors) == code


def test_a_failed_reload_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    verdict(0.0, ["", "InvalidCxxCompiler"])
    assert capsys.readouterr().err == "A reload failed: InvalidCxxCompiler\n"


@pytest.mark.slow
def test_the_demo_runs_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ipy_fastcompile", "demo", "--layers", "2", "--runs", "1"]
    child = subprocess.run(
        [*command, "--folder", str(tmp_path / "demo")], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    first = r"LlamaForCausalLM · call .*?(than|as fast as) eager · 5 submodules · 3 kernels"
    assert re.match(first, child.stdout)
    assert "Warm reload" in child.stdout
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert "LlamaForCausalLM" in page
    assert page.startswith("<!doctype html>")
    inspect = [sys.executable, "-m", "ipy_fastcompile", "inspect"]
    artifact = tmp_path / "demo" / "llama.fastcompile"
    shown = subprocess.run([*inspect, str(artifact)], capture_output=True, text=True)
    assert "LlamaForCausalLM" in shown.stdout
    assert json.dumps(str(artifact)).strip('"') in child.stdout
