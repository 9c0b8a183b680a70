"""``python -m tests.benchmarks.cell`` -> how long a cell holds its kernel: a miss, and hits.

A kernel is asked as a notebook asks it. The clock starts when a cell is sent and ends when the
kernel is free again; the race of the reload paths goes on beside it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

MODEL = (
    "import sys, torch\n"
    "from ipy_fastcompile.demo import make_llama\n"
    "model, input_ids = make_llama(layers={layers})\n"
    "%load_ext ipy_fastcompile"
)
CELL = (
    "%%fastcompile --dynamic input_ids:1=seq(2,512) -o compiled {options}\nout = model(input_ids)"
)
BEFORE = "import time\nknown, cpu = set(sys.modules), time.process_time()"
AFTER = (
    "cpu = time.process_time() - cpu\n"
    "new = [m for m in ('torch._dynamo', 'torch._inductor') if m in sys.modules.keys() - known]\n"
    "print(f'{cpu:.2f} s of CPU   {compiled.report.cache},',"
    " f'compile {compiled.report.cold_seconds:.1f} s, it imported', new or 'no compiler')"
)


def main() -> None:
    """Print a line for each cell."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cell")
    parser.add_argument("--layers", type=int, default=16)
    layers = parser.parse_args().layers
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(cache, "inductor"))
        with _Kernel(layers) as kernel:
            kernel.time("miss", CELL.format(options=""))
            kernel.race()
            kernel.time("hit, used kernel", CELL.format(options=""))
            kernel.time("hit, used kernel", CELL.format(options=""))
        with _Kernel(layers) as kernel:
            kernel.time("hit, fresh kernel", CELL.format(options=""))
            kernel.time("hit, used kernel", CELL.format(options=""))


class _Kernel:
    """A kernel that has the model, and loaded the extension."""

    def __init__(self, layers: int) -> None:
        self._manager = KernelManager()
        self._layers = layers

    def __enter__(self) -> _Kernel:
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=300)
        self._run(MODEL.format(layers=self._layers))
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def time(self, what: str, code: str) -> None:
        """Run a cell, and say how long it took and what it found."""
        self._run(BEFORE)
        started = time.perf_counter()
        self._run(code)
        seconds = time.perf_counter() - started
        load = os.getloadavg()[0]
        print(f"{what:26} {seconds:7.2f} s   load {load:.1f}   {self._run(AFTER)}", flush=True)

    def race(self) -> None:
        """Wait until the race is over."""
        started = time.perf_counter()
        while self._run("print(len(compiled.report.reloads))") != "3":
            time.sleep(0.2)
        print(f"{'the race beside it':26} {time.perf_counter() - started:7.2f} s", flush=True)

    def _run(self, code: str) -> str:
        request = self._client.execute(code, allow_stdin=True)
        printed = ""
        while True:
            message = self._client.get_iopub_msg(timeout=1200)
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "error":
                raise SystemExit("\n".join(content["traceback"]))
            elif content.get("execution_state") == "idle":
                return printed.strip()


if __name__ == "__main__":
    main()
