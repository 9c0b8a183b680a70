"""A race beside a real kernel, with the real compiler: with somebody who looks, and without."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from tests.cells import run_cells
from tests.processes import have_ended, running_children, wait_for_child

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

START = (
    "%load_ext ipy_fastcompile\n"
    "import sys, torch\n"
    "from tests.tiny import TinyTransformer\n"
    "torch.manual_seed(0)\n"
    "model = TinyTransformer().eval()\n"
    "ids = torch.arange(8).reshape(1, 8)"
)
COMPILE = "%%fastcompile --dynamic ids:1=seq -o compiled{}\nout = model(ids)"
PATHS = ["native", "torch", "fx"]


class Kernel:
    """A kernel that is asked by somebody who looks at its outputs."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=300)
        self.shown: dict[str, str] = {}  # display id -> its text now
        self.said: list[str] = []

    def run(self, code: str) -> None:
        """Run a cell; its outputs are looked at until it is done."""
        self.said.clear()
        request = self.client.execute(code, allow_stdin=True)
        while True:
            message = self.client.get_iopub_msg(timeout=600)
            self._take(message)
            if message["parent_header"].get("msg_id") == request and (
                message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            ):
                break
        reply = self.client.get_shell_msg(timeout=600)
        assert reply["content"]["status"] == "ok", reply["content"]

    def see(self, start: str, but: str = "", seconds: float = 600) -> str:
        """Wait until a line of an output starts so, while nothing is asked of the kernel."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for shown in self.shown.values():
                if f"\n{start}" in f"\n{shown}" and not (but and but in shown):
                    return shown
            self._take(self.client.get_iopub_msg(timeout=seconds))
        raise AssertionError(f"{start} is not in {self.shown}")

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data"):
            self.shown[content["transient"].get("display_id", "")] = content["data"]["text/plain"]
        elif message["msg_type"] == "stream":
            self.said.append(content["text"])

    def children(self) -> set[int]:
        """The processes that the kernel has started."""
        return running_children(self.manager.provisioner.pid)

    def racing(self) -> set[int]:
        """The same once there is one: a run is told before its process begins, and ends in one."""
        return wait_for_child(self.manager.provisioner.pid)


@pytest.fixture
def kernel(own_home: Path, tmp_path: Path) -> Iterator[Kernel]:
    manager = KernelManager()
    manager.start_kernel(cwd=str(tmp_path))
    kernel = Kernel(manager)
    yield kernel
    kernel.client.stop_channels()
    if manager.is_alive():
        manager.shutdown_kernel(now=True)


def test_the_report_is_there_at_once_and_the_kernel_answers_during_the_race(
    kernel: Kernel,
) -> None:
    kernel.run(START)
    kernel.run(COMPILE.format(" --force"))
    report = kernel.see("Warm reload: timed beside this session")
    assert "TinyTransformer" in report
    kernel.run("print('answer', 6 * 7, compiled.report.reloads)")
    assert "".join(kernel.said) == "answer 42 ()\n"  # the race has just begun
    kernel.see("warm reload 1/")
    assert kernel.racing()
    kernel.see("Warm reload, on the machine that compiled", but="warm reload ")
    kernel.run("print([(r.path, r.error) for r in compiled.report.reloads])")
    assert "".join(kernel.said) == f"{[(path, '') for path in PATHS]}\n"
    assert not kernel.children()

    # A hit shows it, runs none, and needs nothing of torch's compiler.
    kernel.shown.clear()
    kernel.run(COMPILE.format(""))
    report, explorer = kernel.shown.values()
    assert "cache hit" in report
    assert "Warm reload, on the machine that compiled" in report
    assert "Measured 20" in report
    assert explorer.startswith("Explorer of ")
    assert not kernel.children()

    # Another one is stopped by a cell of the same model, and leaves no process.
    kernel.run(COMPILE.format(" --race"))
    kernel.see("warm reload 1/")
    kernel.run(COMPILE.format(" --no-warm"))
    kernel.see("Warm reload stopped after")
    assert have_ended(kernel.children())


@pytest.mark.parametrize("how", ["shut down", "killed"])
def test_the_end_of_the_kernel_ends_the_race(kernel: Kernel, how: str) -> None:
    kernel.run(START)
    kernel.run(COMPILE.format(" --race"))
    kernel.see("warm reload 1/")
    children = kernel.racing()
    assert children
    if how == "killed":
        os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    else:
        kernel.manager.shutdown_kernel()
    assert have_ended(children)


def test_a_fresh_kernel_hits_without_a_compiler(kernel: Kernel) -> None:
    kernel.run(START)
    kernel.run(COMPILE.format(" --no-warm"))
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=300)
    kernel.run(START)
    kernel.run("%%fastcompile --dynamic ids:1=seq -o compiled --assert-warm\nout = model(ids)")
    kernel.run(
        "print(compiled.report.cache, [m for m in ('torch._dynamo', 'torch._inductor') "
        "if m in sys.modules])"
    )
    assert "".join(kernel.said) == "hit []\n"


def test_a_notebook_that_nobody_looks_at_holds_the_numbers(tmp_path: Path) -> None:
    cells = run_cells([START, COMPILE.format(" --race"), COMPILE.format("")], tmp_path)
    for cell in cells[1:]:
        report, _explorer = cell.outputs
        text = report.data["text/plain"]
        rows = [line.split() for line in text.partition("Warm reload, ")[2].splitlines()]
        assert [row[0] for row in rows if row and row[0] in PATHS] == PATHS
        assert "Measured 20" in text
        assert "<table" in report.data["text/html"]
