"""This machine -> what a reader of a table needs to know of it, measured in a child.

The child also compiles one small function, so that the precompiled header of the C++ compiler,
which torch keeps once per user and outside its cache directory, is there before anything is timed.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.benchmarks.children import run_child
from tests.benchmarks.options import Options

# Environment variables that change what is measured start with these.
_TELLING = ("OMP_", "GOMP_", "MKL_", "KMP_", "TORCH_", "TORCHINDUCTOR_", "CUDA_VISIBLE")
PACKAGES = ("torch", "transformers", "triton", "safetensors", "numpy", "ipy_fastcompile")

# Text, because no module of the package may import these private modules of torch.
PROBE = """
import json, sys, time
request = json.loads(sys.argv[1])
clock = time.perf_counter
started = clock()
import torch
seconds = {"import torch": clock() - started}
started = clock()
import torch._dynamo, torch._inductor.compile_fx, torch._inductor.standalone_compile
seconds["import torch._dynamo and torch._inductor"] = clock() - started
started = clock()
torch.compile(lambda x: (x.sin() + 1).sum())(torch.ones(64, device=request["device"]))
seconds["one small compile"] = clock() - started
from torch._inductor.cpu_vec_isa import pick_vec_isa
from ipy_fastcompile.runtime.machine import describe_machine
print(json.dumps({
    "machine": describe_machine(), "threads": torch.get_num_threads(), "seconds": seconds,
    "vector ISA": str(pick_vec_isa()), "cuda": torch.version.cuda,
}))
"""


def describe(options: Options) -> dict[str, Any]:
    """Processor, cores, memory, threads, versions, and what the imports of torch take."""
    with tempfile.TemporaryDirectory(prefix="fastcompile-bench-") as empty:
        probed = run_child(
            ["-c", PROBE],
            {"device": options.device},
            cache=Path(empty),
            timeout=options.timeout,
        )
    return {
        "machine": {
            "processor": probed.get("machine", platform.processor()),
            "threads": probed.get("threads"),
            "cores": len(os.sched_getaffinity(0)),
            "memory": _memory(),
            "vector ISA": probed.get("vector ISA", ""),
            "system": platform.platform(),
            **({"error": probed["error"]} if "error" in probed else {}),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version for name in PACKAGES if (version := _version(name))},
            "compiler": _first_line("c++", "--version"),
            "commit": _first_line("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"),
        },
        "imports": probed.get("seconds", {}),
        # Inherited by every child; OMP_WAIT_POLICY decides what a busy machine does to calls.
        "environment": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(_TELLING)
        },
    }


def load_average() -> float:
    """Processes that wanted to run during the last minute: more than cores is a busy machine."""
    return round(os.getloadavg()[0], 2)


def _memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        from ipy_fastcompile.version import __version__

        return __version__ if package == "ipy_fastcompile" else ""


def _first_line(program: str, *arguments: str) -> str:
    """What a program prints first; nothing where there is no such program, or it fails."""
    found = shutil.which(program)
    if found is None:
        return ""
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""
