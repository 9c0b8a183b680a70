"""this machine -> a stamp: what a native artifact needs of the machine that loads it."""

from __future__ import annotations

import functools
import os
import platform
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

import torch

# CPU features that a C++ compiler may use for kernels built with -march=native, as the Linux
# kernel names them. The others (rdtscp, nx, ...) never matter to generated code.
_CODE_FLAGS = frozenset(
    {
        "sse", "sse2", "pni", "ssse3", "sse4_1", "sse4_2", "sse4a", "popcnt", "fma", "f16c",
        "avx", "avx2", "bmi1", "bmi2", "abm", "movbe", "adx", "avx512f", "avx512dq",
        "avx512ifma", "avx512cd", "avx512bw", "avx512vl", "avx512_bf16", "avx512vbmi",
        "avx512_vbmi2", "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq", "avx512_fp16",
        "avx512_vp2intersect", "avx_vnni", "avx_ifma", "amx_tile", "amx_int8", "amx_bf16",
        "amx_fp16", "gfni", "vaes", "vpclmulqdq", "aes", "pclmulqdq", "sha_ni", "fsrm", "erms",
        "asimd", "asimdhp", "asimddp", "asimdfhm", "fphp", "sve", "sve2", "bf16", "i8mm",
        "svebf16", "svei8mm"
    }
)  # fmt: skip


@functools.cache
def cpu_flags() -> tuple[str, ...]:
    """The CPU's instruction set extensions that generated code may use, sorted.

    Read from /proc/cpuinfo on Linux; elsewhere from torch's own capability check.
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in ("flags", "Features"):
                    return tuple(sorted(_CODE_FLAGS.intersection(value.split())))
    except OSError:
        pass
    return (torch.backends.cpu.get_cpu_capability().lower(),)


def machine_stamp(*, cpu_binaries: bool = True, cuda: bool = False) -> dict[str, Any]:
    """What an artifact with such binaries needs: compared on load, all differences at once.

    ``cpu_flags`` lists instruction sets (a machine that has more fits); all else must be equal.
    """
    stamp: dict[str, Any] = {
        "torch": str(torch.__version__),
        # The suffix of extension modules carries version, ABI and platform: cpython-311-x86_64-...
        "python": EXTENSION_SUFFIXES[0].removeprefix(".").rpartition(".")[0],
        "platform": f"{sys.platform}-{platform.machine()}",
    }
    if cpu_binaries:
        stamp["cpu_flags"] = list(cpu_flags())
    if cuda:
        stamp["cuda"] = str(torch.version.cuda or "none")
        stamp["gpu"] = gpu_architecture()
    return stamp


def gpu_architecture() -> str:
    """``sm_90`` for the current GPU, ``none`` without one."""
    if not torch.cuda.is_available():
        return "none"
    major, minor = torch.cuda.get_device_capability()
    return f"sm_{major}{minor}"


def describe_machine() -> str:
    """One line for reports: processor, threads, and the GPU where there is one."""
    return _described(f"{torch.get_num_threads()} threads")


def describe_track() -> str:
    """The same of what fresh processes run on: threads that were set here are not theirs."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    return _described(f"{cores} core{'' if cores == 1 else 's'}")


def _described(width: str) -> str:
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            name = next(
                (x.partition(":")[2].strip() for x in file if x.startswith("model name")), name
            )
    except OSError:
        pass
    text = f"{name}, {width}"
    if torch.cuda.is_available():
        text += f", {torch.cuda.get_device_name()}"
    return text
