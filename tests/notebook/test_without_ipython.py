"""The Python API in plain scripts, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMPILE = """
import sys, torch
import ipy_fastcompile as fc
from tests.tiny import TinyTransformer
torch.manual_seed(1)
model = TinyTransformer().eval()
ids = torch.arange(6).reshape(1, 6)
compiled = fc.compile(model, (ids,), dynamic={"ids": {1: "seq"}})
compiled.save(sys.argv[1])
assert "IPython" not in sys.modules and "ipywidgets" not in sys.modules
"""

LOAD = """
import sys, torch
import ipy_fastcompile as fc
from tests.tiny import TinyTransformer
torch.manual_seed(1)
model = TinyTransformer().eval()
fn = fc.load(sys.argv[1], model)
ids = torch.arange(11).reshape(1, 11)
found, expected = fn(ids), model(ids)
assert list(found) == list(expected) == ["logits", "state"]
for name in found:
    torch.testing.assert_close(found[name], expected[name])
assert not {"IPython", "torch._inductor.compile_fx"} & set(sys.modules)
"""

INSPECT = """
import sys
sys.modules["torch"] = None  # importing it fails
import ipy_fastcompile as fc
print(fc.inspect(sys.argv[1]))
"""


def script(text: str, *arguments: object) -> str:
    child = subprocess.run(
        [sys.executable, "-c", text, *map(str, arguments)], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


def test_compile_and_save_in_one_process_load_and_call_in_another(tmp_path: Path) -> None:
    path = tmp_path / "tiny.fastcompile"
    script(COMPILE, path)
    script(LOAD, path)


def test_inspect_needs_no_torch(tiny_artifact: Path) -> None:
    assert "TinyTransformer" in script(INSPECT, tiny_artifact)
